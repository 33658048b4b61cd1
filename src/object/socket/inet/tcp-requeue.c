/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fills the backlog of a new listener. The kernel has no call for that, so each connection shakes hands once more: we
 * send what its client has sent, by the loopback device, while the network lock keeps all other packets of it away.
 * The number that the listener answers with is random, but for one case: it follows the last number of an old
 * connection that is in TIME-WAIT (tcp_timewait_state_process()). So one is made before, which ends just there.
 */
#include "object/socket/inet/tcp-requeue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/socket.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <soccr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "kern/capability.h"
#include "kern/net/netlink.h"
#include "kern/net/sockdiag-inet.h"
#include "kern/net/sockdiag.h"
#include "object/net/net.h"
#include "object/socket/inet/address.h"
#include "object/socket/inet/bind.h"
#include "object/socket/inet/inet.h"
#include "object/socket/inet/mptcp.h"
#include "object/socket/inet/tcp.h"
#include "object/socket/inet/tcp-backlog.h"
#include "object/socket/inet/tcp-guard.h"

#ifndef TH_ECE
#define TH_ECE 0x40
#define TH_CWR 0x80
#endif

#define WAIT_MS	       1000
#define TIMEWAIT_GAP   65537  /* from the last number of an old connection to the first one of the next */
#define OLD_BEFORE     100000 /* how far the client's old numbers lie before the new ones */
#define WINDOW_MAX     65535
#define SEGMENT_PART   15000 /* with all that belongs to a packet buffer just below 16 KiB */
#define STATE_SYN_RECV 12    /* TCP_NEW_SYN_RECV: a handshake */

/* A listener while it is filled, and what it had before. */
struct backlog_filling {
	const struct tcp_requeue *what;
	struct netlink *netlink;
	int fd;
	int defer, clamp, buffer, lock, group; /* group: its place among those that share the port, -1: alone */
	bool multipath; /* of Multipath TCP: once its buffer was set it would never grow by itself again */
};

/* One connection. Numbers are those of the bytes behind the two SYNs. */
struct requeued {
	const struct libsoccr_sk_data *data;
	const char *bytes;
	const InetSkEntry *entry;
	union inet_address self, peer;
	struct inet_diag name;
	uint32_t seq, ack; /* of the client; of us */
	bool fin, timestamps;
};

uint32_t tcp_read_timestamps(void)
{
	char text[32];

	return file_read_text(AT_FDCWD, "/proc/sys/net/ipv4/tcp_timestamps", text, sizeof(text)) < 0
		       ? 1
		       : (uint32_t)strtoul(text, NULL, 10);
}

/* --- looking --- */

static unsigned count_waiting(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ? 0 : info.tcpi_unacked;
}

static uint8_t find_state(const struct backlog_filling *f, const struct requeued *c, struct tcp_diag *ret)
{
	return sockdiag_find_tcp(f->netlink, &c->name, ret) > 0 ? ret->state : 0;
}

/* Segments are delivered at once, or by another CPU a moment later. states: bits. */
static bool await_state(const struct backlog_filling *f, const struct requeued *c, uint32_t states)
{
	struct tcp_diag found;

	for (int i = 0; i < WAIT_MS; i++) {
		if (states >> find_state(f, c, &found) & 1)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

static int fail_arrival(const char *what)
{
	return refuse(
		ETIMEDOUT,
		"a connection that waits for accept(2) cannot be put into the new socket: %s (a packet filter, or a "
		"socket with a more special address?); --tcp-close gives these connections up",
		what);
}

/* --- segments of the client --- */

static int send_segment(const struct requeued *c, uint8_t flags, uint32_t seq, const char *bytes, uint32_t length)
{
	/* Time stamps of 0 are older than all that the client sends, and tell nothing of ours. */
	static const uint8_t stamp[] = { TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TIMESTAMP, TCPOLEN_TIMESTAMP, [4 ... 11] = 0 };
	uint32_t window = c->data->snd_wnd >> c->data->snd_wscale;
	const struct libsoccr_segment segment = {
		.from = (const union libsoccr_addr *)&c->peer,
		.to = (const union libsoccr_addr *)&c->self,
		.seq = seq,
		.ack = c->ack,
		.window = window > WINDOW_MAX ? WINDOW_MAX : (uint16_t)window,
		.flags = flags,
		.options = stamp,
		.options_length = c->timestamps ? sizeof(stamp) : 0,
		.bytes = bytes,
		.length = length,
	};

	return libsoccr_send_segment(&segment) < 0 ? fail_errno("cannot send a segment to ourselves") : 0;
}

static int send_syn(const struct requeued *c)
{
	const struct libsoccr_sk_data *data = c->data;
	uint8_t options[20] = { TCPOPT_MAXSEG, TCPOLEN_MAXSEG, (uint8_t)(data->mss_clamp >> 8),
				(uint8_t)data->mss_clamp };
	struct libsoccr_segment segment = {
		.from = (const union libsoccr_addr *)&c->peer,
		.to = (const union libsoccr_addr *)&c->self,
		.seq = c->seq - 1,
		.window = WINDOW_MAX,
		.flags = data->opt_mask & TCPI_OPT_ECN ? TH_SYN | TH_ECE | TH_CWR : TH_SYN,
		.options = options,
	};
	unsigned n = 4;

	if (data->opt_mask & TCPI_OPT_WSCALE) {
		memcpy(options + n, (uint8_t[]){ TCPOPT_NOP, TCPOPT_WINDOW, TCPOLEN_WINDOW, (uint8_t)data->snd_wscale },
		       4);
		n += 4;
	}
	if (data->opt_mask & TCPI_OPT_SACK) {
		memcpy(options + n,
		       (uint8_t[]){ TCPOPT_NOP, TCPOPT_NOP, TCPOPT_SACK_PERMITTED, TCPOLEN_SACK_PERMITTED }, 4);
		n += 4;
	}
	if (c->timestamps) {
		memcpy(options + n, (uint8_t[]){ TCPOPT_TIMESTAMP, TCPOLEN_TIMESTAMP }, 2);
		n += 12; /* both are 0, then two bytes that end the list */
	}
	segment.options_length = (n + 3) & ~3u;
	return libsoccr_send_segment(&segment) < 0 ? fail_errno("cannot send a segment to ourselves") : 0;
}

/* --- steps --- */

/* An old connection with the same names, ended by both sides. */
static int end_old(const struct backlog_filling *f, const struct requeued *c, int fd)
{
	struct libsoccr_sk_data old = { .state = TCP_FIN_WAIT2,
					.inq_seq = c->seq - OLD_BEFORE,
					.outq_seq = c->ack - 1 - TIMEWAIT_GAP,
					.mss_clamp = 536 };
	struct libsoccr_segment last = { .from = (const union libsoccr_addr *)&c->peer,
					 .to = (const union libsoccr_addr *)&c->self,
					 .seq = old.inq_seq,
					 .ack = old.outq_seq,
					 .window = WINDOW_MAX,
					 .flags = TH_FIN | TH_ACK };
	struct libsoccr_sk *sk = libsoccr_pause(fd);
	int result;

	if (!sk)
		return fail_errno("cannot put a socket into repair mode");
	libsoccr_set_addr(sk, 1, (union libsoccr_addr *)&c->self, 0);
	libsoccr_set_addr(sk, 0, (union libsoccr_addr *)&c->peer, 0);
	result = libsoccr_restore(sk, &old, sizeof(old));
	libsoccr_release(sk);
	if (result < 0)
		return errno == EADDRNOTAVAIL ? -EAGAIN : fail_errno("cannot make a connection that has ended");
	result = tcp_leave_repair(fd, 1);
	if (result < 0)
		return fail(-result, "cannot take a connection out of repair mode");
	if (libsoccr_send_segment(&last) < 0)
		return fail_errno("cannot send a segment to ourselves");
	return await_state(f, c, 1u << TCP_TIME_WAIT) ? 0 : fail_arrival("nothing stays in TIME-WAIT");
}

static int make_time_wait(const struct backlog_filling *f, const struct requeued *c)
{
	const InetSkEntry *listener = f->what->listener;
	int result = -EAGAIN;

	for (int i = 0; i < 3 && result == -EAGAIN; i++) {
		AUTO_CLOSE int fd = socket((int)listener->family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			return fail_errno("cannot make an internet socket");
		result = end_old(f, c, fd);
		/* What the kernel has left of it is in the way. */
		if (result == -EAGAIN && inet_end_remains(c->entry) <= 0)
			return fail(EADDRNOTAVAIL, "the addresses of the connection are in use");
	}
	return result;
}

static int set_buffer(const struct backlog_filling *f, int doubled, int lock)
{
	const int fd = f->fd;
	int value = doubled / 2;

	if (f->multipath)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &value, sizeof(value)) < 0)
		return fail_errno("cannot set the size of a buffer");
	if (lock >= 0 && setsockopt(fd, SOL_SOCKET, SO_BUF_LOCK, &lock, sizeof(lock)) < 0)
		return fail_errno("cannot unlock the socket buffers");
	return 0;
}

static unsigned scale_of(uint32_t window)
{
	unsigned scale = 0;

	while (scale < 14 && window >> scale > UINT16_MAX)
		scale++;
	return scale;
}

/*
 * The first window that a listener offers, and its scale, come from the size of its buffer, one half of which is
 * window. One of a fixed size is used as it is, if that leads to the scale of the dump.
 */
static int offer_window(const struct backlog_filling *f, const struct requeued *c, const SkOptsEntry *options)
{
	const uint32_t scale = c->data->opt_mask & TCPI_OPT_WSCALE ? c->data->rcv_wscale : 0;
	uint32_t window = options->so_rcvbuf / 2;

	if (!(options->so_buf_lock & SOCK_RCVBUF_LOCK) || scale_of(window) != scale)
		window = (uint32_t)WINDOW_MAX << scale;
	return set_buffer(f, (int)(2 * window), -1);
}

/* What our packets need: one always fits in. */
static uint32_t needed_buffer(uint32_t length)
{
	return length <= SEGMENT_PART ? 0 : (length - SEGMENT_PART) / 8 * 9;
}

/* The new connection gets the buffer of the old one. */
static int offer_buffer(const struct backlog_filling *f, const struct requeued *c, const SkOptsEntry *options)
{
	uint32_t size = options->so_rcvbuf ? options->so_rcvbuf : (uint32_t)f->buffer;
	uint32_t needed = needed_buffer(c->data->inq_len);

	return set_buffer(f, (int)(size < needed ? needed : size),
			  options->has_so_buf_lock ? (int)options->so_buf_lock : f->lock);
}

static int shake_hands(const struct backlog_filling *f, const struct requeued *c, const SkOptsEntry *options)
{
	unsigned before = count_waiting(f->fd);

	TRY(offer_window(f, c, options));
	TRY(send_syn(c));
	if (!await_state(f, c, 1u << TCP_SYN_RECV | 1u << STATE_SYN_RECV))
		return fail_arrival("nobody answers");
	TRY(offer_buffer(f, c, options));
	for (int i = 0; i < WAIT_MS && count_waiting(f->fd) == before; i++) {
		TRY(send_segment(c, TH_ACK, c->seq, NULL, 0));
		if (count_waiting(f->fd) == before)
			poll(NULL, 0, 1);
	}
	return count_waiting(f->fd) > before ? 0 : fail_arrival("it does not join those that wait");
}

static int send_bytes(const struct backlog_filling *f, const struct requeued *c)
{
	const uint32_t length = c->data->inq_len;
	struct tcp_diag found = { 0 };
	uint32_t done = 0;

	for (int tries = 0; done < length && tries < WAIT_MS;) {
		uint32_t part = length - done < SEGMENT_PART ? length - done : SEGMENT_PART;

		TRY(send_segment(c, TH_ACK | TH_PUSH, c->seq + done, c->bytes + done, part));
		find_state(f, c, &found);
		if (found.rqueue > done) {
			tries = 0;
		} else {
			tries++;
			poll(NULL, 0, 1);
		}
		done = found.rqueue;
	}
	return done == length ? 0 : fail_arrival("what was received does not fit in");
}

static int end_by_client(const struct backlog_filling *f, const struct requeued *c, bool reset)
{
	struct tcp_diag found;

	if (c->fin) {
		TRY(send_segment(c, TH_ACK | TH_FIN, c->seq + c->data->inq_len, NULL, 0));
		if (!await_state(f, c, 1u << TCP_CLOSE_WAIT))
			return fail_arrival("its end does not arrive");
	}
	if (!reset)
		return 0;
	TRY(send_segment(c, TH_ACK | TH_RST, c->seq + c->data->inq_len + c->fin, NULL, 0));
	for (int i = 0; i < WAIT_MS; i++) {
		if (!find_state(f, c, &found))
			return 0;
		poll(NULL, 0, 1);
	}
	return fail_arrival("its reset does not arrive");
}

#define AGREED (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE)

/* Before anybody talks to it: both sides must mean the same. */
static int check_agreed(const struct backlog_filling *f, const struct requeued *c)
{
	const struct libsoccr_sk_data *data = c->data;
	uint32_t wanted = data->opt_mask & AGREED;
	struct tcp_diag found;

	if (!c->timestamps)
		wanted &= ~(uint32_t)TCPI_OPT_TIMESTAMPS;
	find_state(f, c, &found);
	if ((found.options & AGREED) != wanted || found.snd_wscale != data->snd_wscale ||
	    found.rcv_wscale != data->rcv_wscale)
		return refuse(
			EPROTO,
			"a connection that waits for accept(2) would agree upon something else now (options 0x%x, "
			"windows %u and %u, not 0x%x, %u and %u): compare the settings net.ipv4.tcp_* with those "
			"of the dump; --tcp-close gives these connections up",
			found.options & AGREED, found.snd_wscale, found.rcv_wscale, wanted, data->snd_wscale,
			data->rcv_wscale);
	return 0;
}

/* --- time stamps --- */

static int connect_again(const struct backlog_filling *f, const struct requeued *c, const SkOptsEntry *options)
{
	if (c->ack == 1) /* the kernel never begins with 0 */
		return fail_arrival("its first number cannot be had");
	TRY(make_time_wait(f, c));
	return shake_hands(f, c, options);
}

/* Its clock, of one that is made for that and vanishes. */
static int read_clock(const struct backlog_filling *f, const struct requeued *c, const SkOptsEntry *options,
		      uint32_t *ret)
{
	socklen_t size = sizeof(*ret);
	AUTO_CLOSE int fd = -1;
	const int on = 1;

	TRY(connect_again(f, c, options));
	for (unsigned n = count_waiting(f->fd); n; n--) {
		fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			break;
	}
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0 ||
	    getsockopt(fd, IPPROTO_TCP, TCP_TIMESTAMP, ret, &size) < 0)
		return fail_errno("cannot ask for the clock of a new connection");
	return 0;
}

/*
 * Time stamps must not go back (RFC 7323). On the machine that it was made on the clock of its addresses has gone on;
 * on another one, or after another boot, it is anything. If it is behind, the connection does without them: that is
 * what Linux takes.
 */
static int choose_timestamps(const struct backlog_filling *f, struct requeued *c,
			     const struct tcp_waiting_socket *waiting)
{
	const TcpWaitingEntry *record = waiting->record;
	const uint32_t setting = tcp_read_timestamps();
	char boot[64] = "", name[128];
	uint32_t clock = 0;

	if (!c->timestamps)
		return 0;
	(void)file_read_text(AT_FDCWD, "/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
	if (record->boot && !strcmp(record->boot, boot) && record->timestamps == setting && setting)
		return 0;
	if (setting)
		TRY(read_clock(f, c, waiting->socket.entry->opts, &clock));
	c->timestamps = setting && (int32_t)(clock - c->data->timestamp) >= 0;
	inet_print(waiting->socket.entry, name, sizeof(name));
	if (!c->timestamps)
		log_warn("TCP connection %s waits for accept(2) and goes on without time stamps, which systems other "
			 "than Linux may not take: their clock here %s",
			 name, setting ? "is behind that of the dump" : "is switched off (net.ipv4.tcp_timestamps)");
	return 0;
}

/* --- a listener --- */

static int prepare_one(const struct backlog_filling *f, struct requeued *c, const struct tcp_waiting_socket *waiting)
{
	const InetSkEntry *entry = waiting->socket.entry;

	c->data = tcp_stream_data(waiting->socket.stream, &c->bytes);
	/* A reset in CLOSE-WAIT is a broken pipe (tcp_reset()). */
	c->fin = entry->state == TCP_CLOSE_WAIT || (entry->state == TCP_CLOSE && waiting->record->error == EPIPE);
	c->seq = c->data->inq_seq - c->data->inq_len - c->fin;
	c->ack = c->data->outq_seq;
	c->timestamps = c->data->opt_mask & TCPI_OPT_TIMESTAMPS;
	c->entry = entry;
	c->name = (struct inet_diag){ .family = (uint8_t)entry->family,
				      .src_port = (uint16_t)entry->src_port,
				      .dst_port = (uint16_t)entry->dst_port };
	memcpy(c->name.src, entry->src_addr, entry->n_src_addr * sizeof(uint32_t));
	memcpy(c->name.dst, entry->dst_addr, entry->n_dst_addr * sizeof(uint32_t));
	TRY(inet_source(entry, &c->self));
	TRY(inet_destination(entry, &c->peer));
	return choose_timestamps(f, c, waiting);
}

static int requeue_connection(const struct backlog_filling *f, const struct requeued *c,
			      const struct tcp_waiting_socket *waiting)
{
	const InetSkEntry *entry = waiting->socket.entry;
	uint32_t error = waiting->record->error;
	char name[128];

	inet_print(entry, name, sizeof(name));
	LOG_SCOPE("TCP connection %s", name);
	TRY(connect_again(f, c, entry->opts));
	TRY(check_agreed(f, c));
	TRY(send_bytes(f, c));
	if (entry->state == TCP_CLOSE && error != ECONNRESET && error != EPIPE)
		log_warn("It ended by \"%s\", its first read will say that the other side has reset it",
			 strerror((int)error));
	return end_by_client(f, c, entry->state == TCP_CLOSE);
}

static int fill_backlog(const struct backlog_filling *f)
{
	const struct tcp_requeue *what = f->what;
	struct requeued *all = pool_array(what->pool, struct requeued, what->n);

	for (size_t i = 0; i < what->n; i++)
		TRY(prepare_one(f, &all[i], what->waiting[i]));
	for (size_t i = 0; i < what->n; i++)
		TRY(requeue_connection(f, &all[i], what->waiting[i]));
	log_info("%zu connections wait for accept(2) on port %u again", what->n, what->listener->src_port);
	return 0;
}

static int set_number(const struct backlog_filling *f, int option, int value)
{
	if (setsockopt(f->fd, IPPROTO_TCP, option, &value, sizeof(value)) < 0)
		return fail_errno("cannot set a TCP option (%d)", option);
	return 0;
}

/* Of listeners that share the port each gets its share by chance: for the time being a filter gives all to the last
 * one, which is ours. */
static int choose_ourselves(const struct backlog_filling *f)
{
	const InetSkEntry *entry = f->what->listener;
	AUTO(table_destroy) struct table *by_ino = table_create();
	const struct inet_diag *diag;
	size_t cursor = 0;
	unsigned n = 0;

	if (!entry->opts->so_reuseport)
		return 0;
	if (sockdiag_read_listeners(f->netlink, f->what->pool, (int)entry->family, by_ino) < 0)
		return fail(EIO, "cannot read the table of TCP sockets");
	while ((diag = table_next(by_ino, &cursor)))
		n += diag->src_port == entry->src_port &&
		     !memcmp(diag->src, entry->src_addr, entry->n_src_addr * sizeof(uint32_t));
	if (n < 2)
		return 0;
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, n - 1) };
	const struct sock_fprog program = { ARRAY_SIZE(code), code };

	if (setsockopt(f->fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0)
		return fail_errno("cannot choose a socket among those that share port %u", entry->src_port);
	return 1;
}

static int read_settings(struct backlog_filling *f)
{
	socklen_t size = sizeof(int);

	f->multipath = mptcp_is(f->fd); /* which has no clamp either */
	if (getsockopt(f->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &f->defer, &size) < 0 ||
	    (!f->multipath && getsockopt(f->fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &f->clamp, &size) < 0) ||
	    getsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &f->buffer, &size) < 0)
		return fail_errno("cannot read the options of a listening socket");
	if (getsockopt(f->fd, SOL_SOCKET, SO_BUF_LOCK, &f->lock, &size) < 0)
		f->lock = -1;
	if (netlink_open(NETLINK_SOCK_DIAG, &f->netlink) < 0)
		return fail(EIO, "cannot ask for the states of TCP sockets");
	return 0;
}

static int set_aside(struct backlog_filling *f)
{
	const InetSkEntry *entry = f->what->listener;

	if (f->defer)
		TRY(set_number(f, TCP_DEFER_ACCEPT, 0));
	if (f->clamp)
		TRY(set_number(f, TCP_WINDOW_CLAMP, WINDOW_MAX << 14));
	/* A smaller backlog may have been asked for after they came. */
	if (entry->backlog < f->what->n && listen(f->fd, (int)f->what->n) < 0)
		return fail_errno("cannot listen on port %u", entry->src_port);
	f->group = choose_ourselves(f);
	return f->group < 0 ? f->group : 0;
}

/* As it was. The time of TCP_DEFER_ACCEPT is in seconds, rounded up to a number of retransmissions. */
static int set_back(const struct backlog_filling *f)
{
	const int off = 0;

	TRY(set_buffer(f, f->buffer, f->lock));
	if (f->defer)
		TRY(set_number(f, TCP_DEFER_ACCEPT, f->defer));
	if (f->clamp)
		TRY(set_number(f, TCP_WINDOW_CLAMP, f->clamp));
	if (f->group > 0 && setsockopt(f->fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &off, sizeof(off)) < 0)
		return fail_errno("cannot remove the filter of port %u", f->what->listener->src_port);
	if (listen(f->fd, (int)f->what->listener->backlog) < 0)
		return fail_errno("cannot listen on port %u", f->what->listener->src_port);
	return 0;
}

static int fill_and_set_back(struct backlog_filling *f)
{
	int result = set_aside(f), after;

	if (result >= 0)
		result = fill_backlog(f);
	after = set_back(f);
	return result < 0 ? result : after;
}

int tcp_requeue(const struct tcp_requeue *what)
{
	struct backlog_filling f = { .what = what, .fd = what->fd, .lock = -1 };
	int result = read_settings(&f);

	if (result >= 0)
		result = fill_and_set_back(&f);
	netlink_close(&f.netlink);
	return result;
}

const char *tcp_requeue_obstacle(void)
{
	struct ifreq loopback = { .ifr_name = "lo" };
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!capability_effective(CAP_NET_RAW))
		return "criu lacks CAP_NET_RAW";
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &loopback) < 0 || !(loopback.ifr_flags & IFF_UP))
		return "the loopback device is down (ip link set lo up)";
	return NULL;
}
