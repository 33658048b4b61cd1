/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets of Multipath TCP (IPPROTO_MPTCP). The keys that a connection of several subflows needs are given by nobody
 * and taken by nobody. But one whose other end knows plain TCP only has fallen back: it is a TCP connection in another
 * dress, and becomes one without. What was accepted from such a client the kernel gives as a TCP socket anyway.
 *
 * There is no repair mode behind a socket of this kind, and no other call tells its sequence numbers: they are read
 * from the kernel's memory (socket/view.h). Bytes that are not acknowledged yet cannot be had in this way.
 */
#include "object/socket/inet/mptcp.h"

#include <errno.h>
#include <limits.h>
#include <linux/mptcp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <soccr.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/pool.h"
#include "kern/net/netlink.h"
#include "kern/net/sockdiag-inet.h"
#include "kern/net/sockdiag.h"
#include "object/file/file.h"
#include "object/net/net.h"
#include "object/socket/inet/address.h"
#include "object/socket/inet/inet.h"
#include "object/socket/inet/tcp.h"
#include "object/socket/view.h"
#include "session/loss.h"
#include "session/session.h"

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif

struct subflow {
	uint32_t rcv_nxt, copied_seq, rcv_wup, rcv_wnd, snd_una, write_seq, snd_wl1, snd_wnd, max_window;
	uint16_t mss_clamp;
};

static const struct number {
	const char *type, *member;
	size_t at, size;
} numbers[] = {
#define NUMBER(type, member)                                                                             \
	{                                                                                                \
#type, #member, offsetof(struct subflow, member), sizeof(((struct subflow *)0)->member), \
	}
	NUMBER(tcp_sock, rcv_nxt),    NUMBER(tcp_sock, copied_seq),
	NUMBER(tcp_sock, rcv_wup),    NUMBER(tcp_sock, rcv_wnd),
	NUMBER(tcp_sock, snd_una),    NUMBER(tcp_sock, write_seq),
	NUMBER(tcp_sock, snd_wl1),    NUMBER(tcp_sock, snd_wnd),
	NUMBER(tcp_sock, max_window), NUMBER(tcp_options_received, mss_clamp), /* within tcp_sock.rx_opt */
#undef NUMBER
};

/* A member that is larger or smaller than it is known is as good as none. */
static int read_subflow(const struct dump *d, int fd, struct subflow *ret)
{
	const char *why;
	struct kernel_view *view = kernel_view_get(d, &why);
	uint64_t sock, subflow = 0, received;

	if (!view)
		return refuse(EOPNOTSUPP,
			      "a connection of Multipath TCP cannot be saved: its sequence numbers show only in the "
			      "kernel's memory, and %s",
			      why);
	sock = socket_view_sock(view, fd);
	(void)kernel_view_read(view, sock, "mptcp_sock", "first", &subflow, sizeof(subflow));
	received = kernel_view_place(view, subflow, "tcp_sock", "rx_opt");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t base = strcmp(numbers[i].type, "tcp_sock") ? received : subflow;

		if (!kernel_view_read(view, base, numbers[i].type, numbers[i].member, (char *)ret + numbers[i].at,
				      numbers[i].size))
			return refuse(EOPNOTSUPP,
				      "a connection of Multipath TCP cannot be saved: its %s.%s is not to be found in "
				      "the memory of this kernel",
				      numbers[i].type, numbers[i].member);
	}
	return 0;
}

/* --- dump --- */

/* Such a socket hands options on that others do not know (TCP_SYNCNT); before Linux 5.16 nothing else tells it. */
static bool has_fallen_back(int fd)
{
	struct mptcp_info info = { 0 };
	socklen_t size = sizeof(info);
	int retries;

	if (!getsockopt(fd, SOL_MPTCP, MPTCP_INFO, &info, &size))
		return info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK;
	size = sizeof(retries);
	return !getsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &retries, &size);
}

static int refuse_connection(const InetSkEntry *entry)
{
	char name[128];

	inet_print(entry, name, sizeof(name));
	if (entry->state == TCP_SYN_SENT)
		return refuse(EBUSY, "a connection of Multipath TCP (%s) is just being made: try again", name);
	return refuse(EOPNOTSUPP,
		      "a connection of Multipath TCP (%s) cannot be saved while both ends speak it: close it by "
		      "--tcp-close, or let the program use plain TCP (sysctl net.mptcp.enabled=0; for Go "
		      "GODEBUG=multipathtcp=0; no mptcpize)",
		      name);
}

bool mptcp_is(int fd)
{
	int protocol = 0;
	socklen_t size = sizeof(protocol);

	return !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) && protocol == IPPROTO_MPTCP;
}

int mptcp_dump(const struct dump *d, const struct open_file *of, InetSkEntry *entry)
{
	struct subflow subflow;

	if (entry->proto != IPPROTO_MPTCP || !inet_is_connected(entry))
		return 0;
	/* It becomes a closed one, which needs no second path. */
	if (d->options->tcp_close) {
		entry->proto = IPPROTO_TCP;
		return 0;
	}
	if (!has_fallen_back(of->fd))
		return refuse_connection(entry);
	if (d->options->network_lock == OPT_LOCK_SKIP)
		return refuse(EOPNOTSUPP, "a connection of Multipath TCP that has fallen back to TCP cannot be closed "
					  "without a word: dump without --network-lock skip");
	TRY(read_subflow(d, of->fd, &subflow));
	dump_report_loss(
		d, "that the socket is one of Multipath TCP (SO_PROTOCOL): it becomes one of plain TCP, which its "
		   "connection has fallen back to");
	entry->proto = IPPROTO_TCP;
	return 0;
}

static bool has_end(const struct libsoccr_sk_data *data)
{
	return data->state == TCP_CLOSE_WAIT || data->state == TCP_CLOSING || data->state == TCP_LAST_ACK;
}

/*
 * By the question for the number of bytes all that was received is taken over from the subflow, as long as the buffer
 * has room. It gets some for a larger SO_RCVLOWAT (Linux 6.9), without being fixed as SO_RCVBUF does.
 */
static int take_over(int fd, int *ret_length)
{
	const int huge = INT_MAX;
	int before = 1;
	socklen_t size = sizeof(before);

	if (getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &before, &size) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &huge, sizeof(huge)) < 0)
		return fail_errno("cannot make room for what the connection has received");
	if (ioctl(fd, SIOCINQ, ret_length) < 0)
		return fail_errno("cannot ask how much the connection has received");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &before, sizeof(before)) < 0)
		return fail_errno("cannot set the socket option SO_RCVLOWAT back");
	return 0;
}

/* The number may count the end that the other side has sent. */
static int read_received(struct dump *d, int fd, struct libsoccr_sk_data *data, char **ret_bytes)
{
	int length = 0;
	ssize_t got;

	TRY(take_over(fd, &length));
	*ret_bytes = pool_alloc(d->pool, (size_t)length + 1);
	got = length ? recv(fd, *ret_bytes, (size_t)length, MSG_PEEK | MSG_DONTWAIT) : 0;
	if (got < 0 || (got != length && got + has_end(data) != length))
		return fail(got < 0 ? errno : EIO, "cannot read what the connection has received");
	data->inq_len = (uint32_t)got;
	return 0;
}

static int read_agreed(int fd, struct libsoccr_sk_data *data)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return fail_errno("cannot ask for the state of the connection");
	data->state = info.tcpi_state;
	data->opt_mask = info.tcpi_options;
	if (data->opt_mask & TCPI_OPT_WSCALE) {
		data->snd_wscale = info.tcpi_snd_wscale;
		data->rcv_wscale = info.tcpi_rcv_wscale;
	}
	size = sizeof(data->timestamp);
	if (data->opt_mask & TCPI_OPT_TIMESTAMPS &&
	    getsockopt(fd, IPPROTO_TCP, TCP_TIMESTAMP, &data->timestamp, &size) < 0)
		return fail_errno("cannot read the clock of the timestamps");
	return 0;
}

/* The numbers of a FIN that was received, or sent and acknowledged, count; no byte does. */
static int check_queues(int fd, const struct libsoccr_sk_data *data, const struct subflow *subflow)
{
	const uint32_t left = subflow->rcv_nxt - subflow->copied_seq;
	int unsent = 0;

	if (ioctl(fd, SIOCOUTQ, &unsent) < 0)
		return fail_errno("cannot ask how much the connection has to send");
	if (unsent || subflow->snd_una != subflow->write_seq)
		return refuse(
			EBUSY,
			"its other end has not acknowledged all that was sent, which cannot be read from a socket "
			"of Multipath TCP: try again");
	if (left > has_end(data))
		return refuse(
			EBUSY,
			"it has received more than a socket of Multipath TCP shows (%u bytes): try again when the "
			"program has read",
			left);
	return 0;
}

int mptcp_save(struct dump *d, int fd, struct libsoccr_sk_data *data, char **ret_bytes)
{
	struct subflow subflow;

	TRY(read_agreed(fd, data));
	if (data->state == TCP_CLOSE)
		return 0;
	TRY(read_received(d, fd, data, ret_bytes));
	TRY(read_subflow(d, fd, &subflow));
	TRY(check_queues(fd, data, &subflow));
	data->inq_seq = subflow.rcv_nxt;
	data->outq_seq = subflow.write_seq;
	data->mss_clamp = subflow.mss_clamp;
	data->flags = SOCCR_FLAGS_WINDOW;
	data->snd_wl1 = subflow.snd_wl1;
	data->snd_wnd = subflow.snd_wnd;
	data->max_window = subflow.max_window;
	data->rcv_wnd = subflow.rcv_wnd;
	data->rcv_wup = subflow.rcv_wup;
	return 0;
}

int mptcp_check_backlog(const struct dump *d, const InetSkEntry *listener)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	AUTO(netlink_close) struct netlink *netlink = NULL;
	struct inet_diag like = { .family = listener->family, .src_port = listener->src_port };
	int n = 0;

	if (listener->proto != IPPROTO_MPTCP)
		return 0;
	TRY(network_dump_enter(d, listener->ns_id, &entered));
	if (netlink_open(NETLINK_SOCK_DIAG, &netlink) == 0)
		n = sockdiag_count_multipath(netlink, &like);
	if (n <= 0)
		return 0;
	return refuse(EOPNOTSUPP,
		      "%d connections of Multipath TCP wait in the backlog of the socket on port %u, which cannot be "
		      "saved: let the program accept and close them, or drop them with --skip-in-flight",
		      n, listener->src_port);
}
