/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libsoccr: takes a TCP connection out of the kernel and puts it into a socket again, in this or in another process, on
 * this or on another machine that has got the address. The other side sees nothing but a pause.
 *
 * Needed: CAP_NET_ADMIN in the user namespace of the network namespace; for connections that the other side has closed
 * already also CAP_NET_RAW. Linux 3.5 (TCP_REPAIR); the window needs 4.8, data never sent without a needless
 * probe 4.19.
 *
 * Whoever uses it keeps packets of the connection away (netfilter, both directions) from before libsoccr_pause() of the
 * old socket until after libsoccr_restore() of the new one: between the two no socket is there, and the kernel would
 * answer with a reset. Packets with the mark SOCCR_MARK are the library's own and must pass.
 *
 * Save:	block packets; pause; save; get_queue_bytes for both queues; getsockname(2), getpeername(2); then
 *		resume (the connection goes on here) or release and close(2) (it vanishes without a word)
 * Restore:	socket(2); pause; set_addr for both ends; set_queue_bytes; restore; let packets pass; resume
 *
 * Functions set errno when they fail. One object is used by one thread at a time. No function changes the flags, the
 * options or the time limits of the socket for good.
 */
#ifndef SOCCR_H
#define SOCCR_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Packets with this mark (SO_MARK) must not be blocked. */
#define SOCCR_MARK 0xC114

#ifndef TCP_TIMESTAMP
#define TCP_TIMESTAMP 24
#endif
#ifndef TCP_REPAIR_WINDOW
#define TCP_REPAIR_WINDOW 29
#endif

/* libsoccr_sk_data.flags: snd_wl1 to rcv_wup are valid. */
#define SOCCR_FLAGS_WINDOW 0x1
#define SOCCR_FLAGS_NAMES \
	0x100 /* state CLOSE: both addresses are set, and the socket keeps them; inq_len bytes can be read */

/* Ownership of a malloc'ed buffer goes to the receiver, who frees it. */
#define SOCCR_MEM_EXCL 0x1

/* Levels of the log. */
#define SOCCR_LOG_ERR 1
#define SOCCR_LOG_DBG 2

/*
 * All that is saved beside the addresses and the bytes. Sequence numbers count bytes, modulo 2^32, in host byte order.
 * It is written to images as it is: fields are never moved; new ones come at the end.
 */
struct libsoccr_sk_data {
	uint32_t state;	     /* of the connection: TCP_ESTABLISHED, ... (<netinet/tcp.h>) */
	uint32_t inq_len;    /* bytes received and not yet read */
	uint32_t inq_seq;    /* sequence number behind the receive queue, a FIN included */
	uint32_t outq_len;   /* bytes written and not yet acknowledged */
	uint32_t outq_seq;   /* sequence number behind the send queue, a FIN included */
	uint32_t unsq_len;   /* of outq_len: the last bytes, never sent yet */
	uint32_t opt_mask;   /* TCPI_OPT_*: what was agreed upon */
	uint32_t mss_clamp;  /* largest segment, bytes, as the other side announced it */
	uint32_t snd_wscale; /* shift of windows that we receive ... */
	uint32_t rcv_wscale; /* ... and that we send */
	uint32_t timestamp;  /* clock of the timestamps option, ticks */
	uint32_t flags;	     /* SOCCR_FLAGS_* */
	uint32_t snd_wl1;    /* the window, as struct tcp_repair_window: sequence number of the last window update, */
	uint32_t snd_wnd;    /* bytes we may send, */
	uint32_t max_window; /* the most it ever was, */
	uint32_t rcv_wnd;    /* bytes the other side may send, */
	uint32_t rcv_wup;    /* and our acknowledgement that said so */
};

union libsoccr_addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct libsoccr_sk;

/* Calls fn for each message up to the level; fn NULL: silent, as it is at first. For the whole process. */
void libsoccr_set_log(unsigned int level, void (*fn)(unsigned int level, const char *fmt, ...));

/*
 * Puts the socket into repair mode: the kernel sends nothing by itself when it is closed. fd stays the caller's and
 * must stay open. NULL on failure: EPERM without the capability or for a listening socket, ENOMEM.
 */
struct libsoccr_sk *libsoccr_pause(int fd);

/* The connection goes on: repair mode off (which asks the other side for its window), the object is freed. */
void libsoccr_resume(struct libsoccr_sk *sk);

/* Frees the object only. Repair mode stays: a close(2) that follows is not seen by anybody. */
void libsoccr_release(struct libsoccr_sk *sk);

/*
 * Reads the connection; the socket is not changed. data has room for size bytes, at least 68. Returns the bytes filled,
 * 68, or a negative number that tells what failed: -1 arguments (EINVAL), -2 state (EOPNOTSUPP: one that cannot be
 * saved: LISTEN, SYN_RECV, TIME_WAIT), -3 options, -4 window, -5 receive queue, -6 send queue. The bytes of the queues
 * are kept for libsoccr_get_queue_bytes(). When data arrives meanwhile, -5 with EAGAIN: packets were not blocked.
 */
int libsoccr_save(struct libsoccr_sk *sk, struct libsoccr_sk_data *data, unsigned int data_size);

/*
 * The bytes of queue_id, TCP_RECV_QUEUE (data.inq_len) or TCP_SEND_QUEUE (data.outq_len), after libsoccr_save(); NULL
 * when empty. They belong to the object and live as long as it; with SOCCR_MEM_EXCL they become the caller's, to be
 * freed with free(3).
 */
char *libsoccr_get_queue_bytes(struct libsoccr_sk *sk, int queue_id, unsigned int flags);

/* Reserved: always NULL (EOPNOTSUPP). Use getsockname(2) and getpeername(2). */
union libsoccr_addr *libsoccr_get_addr(struct libsoccr_sk *sk, int self, unsigned int flags);

/*
 * For libsoccr_restore(): the bytes of a queue; how many, data says. They stay the caller's, who keeps them until after
 * libsoccr_restore(), or with SOCCR_MEM_EXCL become the library's. Returns 0, or -1 (EINVAL).
 */
int libsoccr_set_queue_bytes(struct libsoccr_sk *sk, int queue_id, char *bytes, unsigned int flags);

/* The same for the address: self 1 ours, 0 of the other side. */
int libsoccr_set_addr(struct libsoccr_sk *sk, int self, union libsoccr_addr *addr, unsigned int flags);

/*
 * Makes a new, unbound, paused socket the end of the connection. In state SYN_SENT the request is sent again; bytes
 * that were never sent are sent. Afterwards it is still paused. Returns 0, or -1.
 */
int libsoccr_restore(struct libsoccr_sk *sk, struct libsoccr_sk_data *data, unsigned int data_size);

/*
 * A segment as the other side would have sent it. It travels over the loopback device of this network namespace only,
 * with the mark SOCCR_MARK. Needs CAP_NET_RAW and CAP_NET_ADMIN.
 */
#define LIBSOCCR_SEGMENT_MAX 16384

struct libsoccr_segment {
	const union libsoccr_addr *from, *to; /* the other side, ours */
	uint32_t seq, ack;		      /* host byte order */
	uint16_t window;		      /* as in the header, scaled, host byte order */
	uint8_t flags;			      /* TH_SYN, ... */
	uint8_t options_length;		      /* a multiple of 4, at most 40 */
	const uint8_t *options;
	const char *bytes;
	uint32_t length; /* of them, at most LIBSOCCR_SEGMENT_MAX */
};

/* Returns 0, or -1. Whether it arrives is to be seen at the socket. */
int libsoccr_send_segment(const struct libsoccr_segment *segment);

#ifdef __cplusplus
}
#endif

#endif
