/* SPDX-License-Identifier: LGPL-2.1-only */
/* libsoccr: makes a new socket, in repair mode, the end of a saved connection. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "lib/soccr/sk.h"

#ifndef TCP_REPAIR_ON
#define TCP_REPAIR_ON 1
#endif
#ifndef TCP_REPAIR_OFF_NO_WP
#define TCP_REPAIR_OFF_NO_WP -1
#endif
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72 /* Linux 5.14 */
#endif

/* One packet buffer of the receive queue: more memory in one piece may not be there. */
#define RECEIVE_CHUNK 65536

/* Options of the handshake (RFC 793, 7323, 2018). */
enum { OPTION_MSS = 2, OPTION_WINDOW = 3, OPTION_SACK = 4, OPTION_TIMESTAMP = 8 };

static socklen_t addr_size(const union libsoccr_addr *addr)
{
	return addr->sa.sa_family == AF_INET6 ? sizeof(addr->v6) : sizeof(addr->v4);
}

/* --- room in the buffers, given back at the end --- */

struct room {
	int send, receive; /* doubled, as the kernel tells them */
	int lock;	   /* -1: unknown to this kernel */
};

static int force_buffer(int fd, int option, int doubled)
{
	int value = doubled / 2;

	if (setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)) < 0)
		return soccr_fail("cannot set the size of a buffer");
	return 0;
}

/* Bytes need up to their double, and the kernel gives headers and room for small packets on top. */
static int needed_room(uint32_t length)
{
	uint64_t room = (uint64_t)length * 4 + 65536;

	return room > INT32_MAX ? INT32_MAX : (int)room;
}

static int take_room(int fd, const struct libsoccr_sk_data *data, struct room *before)
{
	socklen_t size = sizeof(int);

	before->lock = -1;
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &before->send, &size) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &before->receive, &size) < 0)
		return soccr_fail("cannot read the sizes of the buffers");
	getsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &before->lock, &size);
	if (before->send < needed_room(data->outq_len) &&
	    force_buffer(fd, SO_SNDBUFFORCE, needed_room(data->outq_len)) < 0)
		return -1;
	if (before->receive < needed_room(data->inq_len))
		return force_buffer(fd, SO_RCVBUFFORCE, needed_room(data->inq_len));
	return 0;
}

static int give_room_back(int fd, const struct room *before)
{
	struct room now;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &now.send, &size) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &now.receive, &size) < 0)
		return soccr_fail("cannot read the sizes of the buffers");
	if (now.send != before->send && force_buffer(fd, SO_SNDBUFFORCE, before->send) < 0)
		return -1;
	if (now.receive != before->receive && force_buffer(fd, SO_RCVBUFFORCE, before->receive) < 0)
		return -1;
	if (before->lock >= 0)
		setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &before->lock, sizeof(before->lock));
	return 0;
}

/* --- the steps --- */

static int set_sequence(int fd, int queue, uint32_t seq)
{
	if (soccr_set_queue(fd, queue) < 0)
		return -1;
	if (setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, sizeof(seq)) < 0)
		return soccr_fail("cannot set a sequence number");
	return 0;
}

/* Where the queues begin; SYN and FIN count as bytes. */
static int set_sequences(int fd, const struct libsoccr_sk_data *data)
{
	uint32_t receive = data->inq_seq - data->inq_len - (soccr_fin_received(data->state) ? 1 : 0);
	uint32_t send = data->outq_seq - data->outq_len - (soccr_fin_sent(data->state) ? 1 : 0) -
			(data->state == TCP_SYN_SENT ? 1 : 0);

	if (set_sequence(fd, TCP_RECV_QUEUE, receive) < 0)
		return -1;
	return set_sequence(fd, TCP_SEND_QUEUE, send);
}

/* Without repair mode connect(2) sends the request again, with the number that was set. */
static int send_request(struct libsoccr_sk *sk)
{
	int flags = fcntl(sk->fd, F_GETFL);
	int result;

	if (soccr_set_repair(sk->fd, TCP_REPAIR_OFF_NO_WP) < 0)
		return -1;
	fcntl(sk->fd, F_SETFL, flags | O_NONBLOCK);
	result = connect(sk->fd, &sk->addr[SOCCR_PEER].sa, addr_size(&sk->addr[SOCCR_PEER]));
	if (result < 0 && errno == EINPROGRESS)
		result = 0;
	else if (result < 0)
		soccr_fail("cannot send the connection request again");
	fcntl(sk->fd, F_SETFL, flags);
	return soccr_set_repair(sk->fd, TCP_REPAIR_ON) < 0 ? -1 : result;
}

static int connect_socket(struct libsoccr_sk *sk, const struct libsoccr_sk_data *data)
{
	if (data->state == TCP_SYN_SENT)
		return send_request(sk);
	if (connect(sk->fd, &sk->addr[SOCCR_PEER].sa, addr_size(&sk->addr[SOCCR_PEER])) < 0)
		return soccr_fail("cannot connect in repair mode");
	return 0;
}

static int set_options(int fd, const struct libsoccr_sk_data *data)
{
	struct tcp_repair_opt options[4];
	unsigned int n = 0;

	if (data->state == TCP_SYN_SENT)
		return 0;
	if (data->opt_mask & TCPI_OPT_SACK)
		options[n++] = (struct tcp_repair_opt){ OPTION_SACK, 0 };
	if (data->opt_mask & TCPI_OPT_WSCALE)
		options[n++] = (struct tcp_repair_opt){ OPTION_WINDOW, data->snd_wscale + (data->rcv_wscale << 16) };
	if (data->opt_mask & TCPI_OPT_TIMESTAMPS)
		options[n++] = (struct tcp_repair_opt){ OPTION_TIMESTAMP, 0 };
	options[n++] = (struct tcp_repair_opt){ OPTION_MSS, data->mss_clamp };
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options, n * sizeof(options[0])) < 0)
		return soccr_fail("cannot set what the handshake agreed upon");
	return 0;
}

static int set_clock(int fd, const struct libsoccr_sk_data *data)
{
	if (!(data->opt_mask & TCPI_OPT_TIMESTAMPS))
		return 0;
	if (setsockopt(fd, IPPROTO_TCP, TCP_TIMESTAMP, &data->timestamp, sizeof(data->timestamp)) < 0)
		return soccr_fail("cannot set the clock of the timestamps");
	return 0;
}

static int write_bytes(int fd, const char *bytes, uint32_t length, uint32_t chunk)
{
	for (uint32_t done = 0; done < length;) {
		uint32_t part = length - done < chunk ? length - done : chunk;
		ssize_t sent = send(fd, bytes + done, part, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == ENOMEM && chunk > 1024)
			chunk /= 2;
		else if (sent <= 0)
			return soccr_fail("cannot fill a queue");
		else
			done += (uint32_t)sent;
	}
	return 0;
}

static int fill_queue(struct libsoccr_sk *sk, int queue, uint32_t length)
{
	if (!length)
		return 0;
	if (!sk->bytes[QUEUE_INDEX(queue)]) {
		errno = EINVAL;
		return soccr_fail("the bytes of a queue are missing");
	}
	if (soccr_set_queue(sk->fd, queue) < 0)
		return -1;
	return write_bytes(sk->fd, sk->bytes[QUEUE_INDEX(queue)], length,
			   queue == TCP_RECV_QUEUE ? RECEIVE_CHUNK : length);
}

/* fin: one of the other side is still to be received; the receive window is one larger until then. */
static int set_window(int fd, const struct libsoccr_sk_data *data, bool fin)
{
	struct tcp_repair_window window = {
		.snd_wl1 = data->snd_wl1,
		.snd_wnd = data->snd_wnd,
		.max_window = data->max_window,
		.rcv_wnd = data->rcv_wnd + fin,
		.rcv_wup = data->rcv_wup - fin,
	};

	if (!(data->flags & SOCCR_FLAGS_WINDOW) || data->state == TCP_SYN_SENT)
		return 0;
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)) < 0 && errno != ENOPROTOOPT)
		return soccr_fail("cannot set the window");
	return 0;
}

/*
 * The size of segments was worked out when the socket was connected, before it knew its options, and stays so (536
 * bytes) until the route changes. A change of the headers makes the kernel work it out again; IPv4 on an IPv6 socket
 * has IPv4's.
 */
static void refresh_segment_size(const struct libsoccr_sk *sk)
{
	if (sk->addr[SOCCR_PEER].sa.sa_family == AF_INET6)
		(void)setsockopt(sk->fd, IPPROTO_IPV6, IPV6_RTHDR, NULL, 0);
	(void)setsockopt(sk->fd, IPPROTO_IP, IP_OPTIONS, NULL, 0);
}

/* These go out as if they had just been written. */
static int send_unsent(struct libsoccr_sk *sk, const struct libsoccr_sk_data *data)
{
	const char *bytes = sk->bytes[QUEUE_INDEX(TCP_SEND_QUEUE)];
	int result;

	if (!data->unsq_len)
		return 0;
	if (!bytes) {
		errno = EINVAL;
		return soccr_fail("the bytes of the send queue are missing");
	}
	if (soccr_set_repair(sk->fd, TCP_REPAIR_OFF_NO_WP) < 0)
		return -1;
	result = write_bytes(sk->fd, bytes + data->outq_len - data->unsq_len, data->unsq_len, data->unsq_len);
	return soccr_set_repair(sk->fd, TCP_REPAIR_ON) < 0 ? -1 : result;
}

/* --- FINs --- */

static uint32_t state_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ? 0 : info.tcpi_state;
}

/* Our FIN. With the send queue chosen the kernel takes it as sent; behind bytes that were not sent it waits its turn as
 * well. */
static int close_ours(int fd, const struct libsoccr_sk_data *data)
{
	int result = 0;

	if (data->unsq_len ? soccr_set_repair(fd, TCP_REPAIR_OFF_NO_WP) < 0 : soccr_set_queue(fd, TCP_SEND_QUEUE) < 0)
		return -1;
	if (shutdown(fd, SHUT_WR) < 0)
		result = soccr_fail("cannot close our side");
	return data->unsq_len && soccr_set_repair(fd, TCP_REPAIR_ON) < 0 ? -1 : result;
}

/* A segment of the other side, then the state that it leads to. It is delivered at once, or by another CPU a moment
 * later. */
static int receive_segment(struct libsoccr_sk *sk, const struct libsoccr_sk_data *data, bool fin, uint32_t ack,
			   uint32_t state)
{
	uint32_t window = data->snd_wnd >> data->snd_wscale;
	struct libsoccr_segment segment = {
		.from = &sk->addr[SOCCR_PEER],
		.to = &sk->addr[SOCCR_SELF],
		.seq = data->inq_seq - (fin ? 1 : 0),
		.ack = ack,
		.window = window > UINT16_MAX ? UINT16_MAX : (uint16_t)window,
		.flags = fin ? TH_FIN | TH_ACK : TH_ACK,
	};

	if (libsoccr_send_segment(&segment) < 0)
		return -1;
	for (int i = 0; i < 1000; i++) {
		if (state_of(sk->fd) == state)
			return 0;
		poll(NULL, 0, 1);
	}
	errno = ETIMEDOUT;
	return soccr_fail("a segment that we sent to ourselves did not arrive (a packet filter?)");
}

static int close_sides(struct libsoccr_sk *sk, const struct libsoccr_sk_data *data)
{
	uint32_t unacked = data->outq_seq - data->outq_len - (soccr_fin_in_queue(data->state) ? 1 : 0);

	switch (data->state) {
	case TCP_FIN_WAIT1:
		return close_ours(sk->fd, data);
	case TCP_FIN_WAIT2:
		if (close_ours(sk->fd, data) < 0)
			return -1;
		return receive_segment(sk, data, false, data->outq_seq, TCP_FIN_WAIT2);
	case TCP_CLOSE_WAIT:
		return receive_segment(sk, data, true, unacked, TCP_CLOSE_WAIT);
	case TCP_LAST_ACK:
		if (receive_segment(sk, data, true, unacked, TCP_CLOSE_WAIT) < 0)
			return -1;
		return close_ours(sk->fd, data);
	case TCP_CLOSING:
		if (close_ours(sk->fd, data) < 0)
			return -1;
		return receive_segment(sk, data, true, unacked, TCP_CLOSING);
	}
	return 0;
}

/* --- all --- */

static int restore_connection(struct libsoccr_sk *sk, const struct libsoccr_sk_data *data)
{
	bool fin = soccr_fin_received(data->state);

	if (set_sequences(sk->fd, data) < 0 || connect_socket(sk, data) < 0 || set_options(sk->fd, data) < 0 ||
	    set_clock(sk->fd, data) < 0)
		return -1;
	if (fill_queue(sk, TCP_RECV_QUEUE, data->inq_len) < 0 ||
	    fill_queue(sk, TCP_SEND_QUEUE, data->outq_len - data->unsq_len) < 0)
		return -1;
	if (set_window(sk->fd, data, fin) < 0 || send_unsent(sk, data) < 0 || close_sides(sk, data) < 0)
		return -1;
	/* What was received meanwhile has moved it. */
	if (set_window(sk->fd, data, false) < 0)
		return -1;
	refresh_segment_size(sk);
	return soccr_set_queue(sk->fd, TCP_NO_QUEUE);
}

/*
 * A connection that both sides have ended keeps its names, and what was not read. So one is made, with nothing else,
 * and led to its end by what the other side would send: a FIN, then the acknowledgement of ours. In this order nothing
 * is left in TIME-WAIT.
 */
static int restore_ended(struct libsoccr_sk *sk, const struct libsoccr_sk_data *data)
{
	struct libsoccr_sk_data last = { .state = TCP_LAST_ACK,
					 .inq_len = data->inq_len,
					 .inq_seq = 1000 + data->inq_len,
					 .outq_seq = 1000,
					 .mss_clamp = 536 };
	struct room room;
	int result;

	/* The FIN comes behind the bytes: there must be room. */
	if (data->inq_len) {
		last.flags = SOCCR_FLAGS_WINDOW;
		last.snd_wl1 = last.rcv_wup = last.inq_seq;
		last.rcv_wnd = last.snd_wnd = last.max_window = UINT16_MAX;
	}
	if (take_room(sk->fd, &last, &room) < 0)
		return -1;
	result = restore_connection(sk, &last);
	if (result == 0)
		result = receive_segment(sk, &last, false, last.outq_seq, TCP_CLOSE);
	return give_room_back(sk->fd, &room) < 0 ? -1 : result;
}

static bool is_plausible(const struct libsoccr_sk *sk, const struct libsoccr_sk_data *data)
{
	if (!soccr_state_is_known(data->state) || data->unsq_len > data->outq_len)
		return false;
	if (data->snd_wscale > 14 || data->rcv_wscale > 14)
		return false;
	return data->state == TCP_CLOSE || (sk->addr[SOCCR_SELF].sa.sa_family && sk->addr[SOCCR_PEER].sa.sa_family);
}

int libsoccr_restore(struct libsoccr_sk *sk, struct libsoccr_sk_data *data, unsigned int data_size)
{
	struct room room;
	int result;

	if (!sk || !data || data_size < SOCCR_DATA_SIZE || !is_plausible(sk, data)) {
		errno = EINVAL;
		return soccr_fail("the saved connection makes no sense");
	}
	soccr_debug("restoring a connection in state", data->state);
	if (sk->addr[SOCCR_SELF].sa.sa_family &&
	    bind(sk->fd, &sk->addr[SOCCR_SELF].sa, addr_size(&sk->addr[SOCCR_SELF])) < 0)
		return soccr_fail("cannot bind to the address of the connection");
	if (data->state == TCP_CLOSE)
		return data->flags & SOCCR_FLAGS_NAMES ? restore_ended(sk, data) : 0;
	if (take_room(sk->fd, data, &room) < 0)
		return -1;
	result = restore_connection(sk, data);
	return give_room_back(sk->fd, &room) < 0 ? -1 : result;
}
