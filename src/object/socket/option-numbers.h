/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of socket options that are newer than some C library, or in headers of the kernel that do not go together
 * with it. */
#pragma once

/* include/uapi/asm-generic/socket.h, with the Linux version that brought them */
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72 /* 5.14 */
#endif
#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69 /* 5.11 */
#endif
#ifndef SO_BUSY_POLL_BUDGET
#define SO_BUSY_POLL_BUDGET 70 /* 5.11 */
#endif
#define BUSY_POLL_BUDGET 0 /* of a new socket: it takes 8 packets then (include/net/busy_poll.h) */
#ifndef SO_TXREHASH
#define SO_TXREHASH 74 /* 6.0 */
#endif
#ifndef SO_RCVMARK
#define SO_RCVMARK 75 /* 6.0 */
#endif
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76 /* 6.5 */
#endif
#ifndef SO_RCVPRIORITY
#define SO_RCVPRIORITY 82 /* 6.14 */
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* 6.16 */
#endif
#ifndef SO_INQ
#define SO_INQ 84 /* 6.17, of unix stream sockets */
#endif

/* include/uapi/linux/if_packet.h */
#ifndef PACKET_VNET_HDR_SZ
#define PACKET_VNET_HDR_SZ 24 /* 6.4 */
#endif

/* include/uapi/linux/in.h */
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* 6.3 */
#endif

/* include/uapi/linux/in6.h */
#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78 /* 4.15 */
#endif
#ifndef IPV6_FLOWINFO
#define IPV6_FLOWINFO 11
#endif
#ifndef IPV6_FLOWINFO_SEND
#define IPV6_FLOWINFO_SEND 33
#endif
#ifndef IPV6_ROUTER_ALERT_ISOLATE
#define IPV6_ROUTER_ALERT_ISOLATE 30 /* 5.2 */
#endif
#ifndef IPV6_RECVERR_RFC4884
#define IPV6_RECVERR_RFC4884 31 /* 5.9 */
#endif
#ifndef IP_RECVERR_RFC4884
#define IP_RECVERR_RFC4884 26 /* 5.9 */
#endif

/* include/uapi/linux/tcp.h */
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 /* 6.15 */
#endif
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45 /* 6.15 */
#endif
#ifndef TCP_DELACK_MAX_US
#define TCP_DELACK_MAX_US 46 /* 6.15 */
#endif

/* include/uapi/linux/udp.h; net/udplite.h for the last two */
#define UDP_CORK 1
#ifndef UDP_ENCAP
#define UDP_ENCAP	 100
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#define UDP_SEGMENT	 103 /* 4.18 */
#define UDP_GRO		 104 /* 5.0 */
#endif
#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11
