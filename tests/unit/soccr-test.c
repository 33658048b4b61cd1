// SPDX-License-Identifier: GPL-2.0-only
/* libsoccr moves connections of every state into new sockets; the other end must notice nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <sched.h>
#include <soccr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/array.h"

#define IN_FLIGHT "written while nothing comes through"
#define UNREAD	  "received and not read"

static struct nft_ctx *nft;

/* At once: between two commands the kernel might send once more what is in flight. */
static void filter(const char *rules)
{
	char all[512];

	snprintf(all, sizeof(all), "flush ruleset; %s", rules ? rules : "");
	assert_int_equal(nft_run_cmd_from_buffer(nft, all), 0);
}

static void block(void)
{
	filter("table inet t { chain i { type filter hook input priority 0; meta mark 0xc114 accept; meta l4proto tcp "
	       "drop; }; }");
}

static void block_to_port(int port)
{
	char rules[256];

	snprintf(rules, sizeof(rules),
		 "table inet t { chain i { type filter hook input priority 0; tcp dport %d drop; }; }", port);
	filter(rules);
}

struct ends {
	int listener, client, server;
	int client_port;
};

static const char *const hosts[] = { "127.0.0.1", "::1", "::ffff:127.0.0.1" };

static union libsoccr_addr make_addr(const char *host, int port)
{
	union libsoccr_addr addr = { 0 };

	if (strchr(host, ':')) {
		addr.v6.sin6_family = AF_INET6;
		addr.v6.sin6_port = htons(port);
		inet_pton(AF_INET6, host, &addr.v6.sin6_addr);
	} else {
		addr.v4.sin_family = AF_INET;
		addr.v4.sin_port = htons(port);
		inet_pton(AF_INET, host, &addr.v4.sin_addr);
	}
	return addr;
}

static socklen_t addr_size(const union libsoccr_addr *addr)
{
	return addr->sa.sa_family == AF_INET ? sizeof(addr->v4) : sizeof(addr->v6);
}

static int new_socket(const union libsoccr_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM, 0), off = 0;

	assert_true(fd >= 0);
	if (addr->sa.sa_family == AF_INET6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
	return fd;
}

static void listen_on(struct ends *ends, const char *host, union libsoccr_addr *addr)
{
	socklen_t size = sizeof(*addr);

	*addr = make_addr(host, 0);
	ends->listener = new_socket(addr);
	assert_int_equal(bind(ends->listener, &addr->sa, addr_size(addr)), 0);
	assert_int_equal(listen(ends->listener, 5), 0);
	assert_int_equal(getsockname(ends->listener, &addr->sa, &size), 0);
}

static struct ends connect_ends(const char *host)
{
	union libsoccr_addr addr, own;
	socklen_t size = sizeof(own);
	struct ends ends;

	filter(NULL);
	listen_on(&ends, host, &addr);
	ends.client = new_socket(&addr);
	assert_int_equal(connect(ends.client, &addr.sa, addr_size(&addr)), 0);
	ends.server = accept(ends.listener, NULL, NULL);
	assert_true(ends.server >= 0);
	assert_int_equal(getsockname(ends.client, &own.sa, &size), 0);
	ends.client_port = ntohs(own.v4.sin_port);
	return ends;
}

static void close_ends(const struct ends *ends)
{
	filter(NULL);
	close(ends->client);
	close(ends->server);
	close(ends->listener);
}

static uint32_t state_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	return info.tcpi_state;
}

static void await_state(int fd, uint32_t state)
{
	for (int i = 0; i < 5000 && state_of(fd) != state; i++)
		poll(NULL, 0, 1);
	assert_int_equal(state_of(fd), state);
}

/* Out of one socket, into another: all as the header says. */
static int move(int fd, const union libsoccr_addr *peer, struct libsoccr_sk_data *data)
{
	union libsoccr_addr self, other;
	socklen_t size = sizeof(self);
	struct libsoccr_sk *sk = libsoccr_pause(fd);
	char *in, *out;
	int to;

	assert_non_null(sk);
	assert_int_equal(libsoccr_save(sk, data, sizeof(*data)), 68);
	in = libsoccr_get_queue_bytes(sk, TCP_RECV_QUEUE, SOCCR_MEM_EXCL);
	out = libsoccr_get_queue_bytes(sk, TCP_SEND_QUEUE, SOCCR_MEM_EXCL);
	assert_int_equal(getsockname(fd, &self.sa, &size), 0);
	size = sizeof(other);
	if (peer)
		other = *peer;
	else
		assert_int_equal(getpeername(fd, &other.sa, &size), 0);
	libsoccr_release(sk);
	close(fd);

	to = new_socket(&self);
	sk = libsoccr_pause(to);
	assert_non_null(sk);
	assert_int_equal(libsoccr_set_addr(sk, 1, &self, 0), 0);
	assert_int_equal(libsoccr_set_addr(sk, 0, &other, 0), 0);
	assert_int_equal(libsoccr_set_queue_bytes(sk, TCP_RECV_QUEUE, in, SOCCR_MEM_EXCL), 0);
	assert_int_equal(libsoccr_set_queue_bytes(sk, TCP_SEND_QUEUE, out, SOCCR_MEM_EXCL), 0);
	assert_int_equal(libsoccr_restore(sk, data, sizeof(*data)), 0);
	libsoccr_release(sk);
	return to;
}

/* Saved again, the copy must look the same but for the clock, which goes on, and the last acknowledgement. */
static void assert_same(int fd, const struct libsoccr_sk_data *before)
{
	struct libsoccr_sk *sk = libsoccr_pause(fd);
	struct libsoccr_sk_data after;

	assert_non_null(sk);
	assert_int_equal(libsoccr_save(sk, &after, sizeof(after)), 68);
	assert_in_range(after.timestamp - before->timestamp, 0, 60000);
	after.timestamp = before->timestamp;
	/* The kernel may have acknowledged a FIN once more meanwhile. */
	assert_in_range(after.rcv_wup - before->rcv_wup, 0, 1);
	after.rcv_wup = before->rcv_wup;
	assert_memory_equal(&after, before, sizeof(after));
	libsoccr_release(sk);
}

static void resume(int fd)
{
	struct libsoccr_sk *sk = libsoccr_pause(fd);

	assert_non_null(sk);
	filter(NULL);
	libsoccr_resume(sk);
}

static void assert_reads(int fd, const char *text)
{
	char got[256] = "";

	assert_int_equal(recv(fd, got, strlen(text), MSG_WAITALL), (ssize_t)strlen(text));
	assert_string_equal(got, text);
}

static void assert_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

static void write_text(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What a state needs to be entered by the client's end, and what is left to do on both ends afterwards. */
struct scene {
	uint32_t state;
	void (*enter)(struct ends *ends);
	bool client_closed, server_closed;
};

static void enter_established(struct ends *ends)
{
	block();
}

static void enter_fin_wait1(struct ends *ends)
{
	block();
	shutdown(ends->client, SHUT_WR);
}

static void enter_fin_wait2(struct ends *ends)
{
	shutdown(ends->client, SHUT_WR);
	await_state(ends->client, TCP_FIN_WAIT2);
	block();
}

static void enter_close_wait(struct ends *ends)
{
	shutdown(ends->server, SHUT_WR);
	await_state(ends->client, TCP_CLOSE_WAIT);
	block();
}

static void enter_last_ack(struct ends *ends)
{
	enter_close_wait(ends);
	shutdown(ends->client, SHUT_WR);
}

static void enter_closing(struct ends *ends)
{
	union libsoccr_addr addr;
	socklen_t size = sizeof(addr);

	assert_int_equal(getsockname(ends->server, &addr.sa, &size), 0);
	block_to_port(ntohs(addr.v4.sin_port));
	shutdown(ends->client, SHUT_WR);
	shutdown(ends->server, SHUT_WR);
	await_state(ends->client, TCP_CLOSING);
	block();
}

static const struct scene scenes[] = {
	{ TCP_ESTABLISHED, enter_established, false, false }, { TCP_FIN_WAIT1, enter_fin_wait1, true, false },
	{ TCP_FIN_WAIT2, enter_fin_wait2, true, false },      { TCP_CLOSE_WAIT, enter_close_wait, false, true },
	{ TCP_LAST_ACK, enter_last_ack, true, true },	      { TCP_CLOSING, enter_closing, true, true },
};

static void play(const struct scene *scene, const char *host, bool in_flight)
{
	struct ends ends = connect_ends(host);
	struct libsoccr_sk_data data;

	print_message("state %u, %s, %s\n", scene->state, host, in_flight ? "data in flight" : "no data in flight");
	write_text(ends.server, UNREAD);
	assert_int_equal(poll(&(struct pollfd){ .fd = ends.client, .events = POLLIN }, 1, -1), 1);
	if (in_flight) {
		block();
		write_text(ends.client, IN_FLIGHT);
	}
	scene->enter(&ends);
	assert_int_equal(state_of(ends.client), scene->state);
	ends.client = move(ends.client, NULL, &data);
	assert_int_equal(data.inq_len, strlen(UNREAD));
	assert_int_equal(data.outq_len, in_flight ? strlen(IN_FLIGHT) : 0);
	assert_int_equal(state_of(ends.client), scene->state);
	assert_same(ends.client, &data);
	resume(ends.client);
	if (in_flight)
		assert_reads(ends.server, IN_FLIGHT);
	if (!scene->client_closed)
		write_text(ends.client, "and on");
	if (!scene->server_closed)
		write_text(ends.server, "back");
	assert_reads(ends.client, UNREAD);
	if (!scene->server_closed)
		assert_reads(ends.client, "back");
	else
		assert_end(ends.client);
	if (!scene->client_closed)
		assert_reads(ends.server, "and on");
	else
		assert_end(ends.server);
	close_ends(&ends);
}

static void test_states(void **unused)
{
	for (size_t h = 0; h < ARRAY_SIZE(hosts); h++)
		for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
			play(&scenes[i], hosts[h], false);
			/* There is no way into these with data of ours under way. */
			if (scenes[i].state == TCP_ESTABLISHED || scenes[i].state == TCP_FIN_WAIT1)
				play(&scenes[i], hosts[h], true);
		}
}

static void test_syn_sent(void **unused)
{
	union libsoccr_addr addr;
	struct libsoccr_sk_data data;
	struct pollfd connected = { .events = POLLOUT };
	struct ends ends;

	for (size_t h = 0; h < ARRAY_SIZE(hosts); h++) {
		filter(NULL);
		listen_on(&ends, hosts[h], &addr);
		block();
		ends.client = new_socket(&addr);
		fcntl(ends.client, F_SETFL, O_NONBLOCK);
		assert_int_equal(connect(ends.client, &addr.sa, addr_size(&addr)), -1);
		ends.client = move(ends.client, &addr, &data);
		assert_int_equal(data.state, TCP_SYN_SENT);
		assert_int_equal(state_of(ends.client), TCP_SYN_SENT);
		resume(ends.client);
		connected.fd = ends.client;
		assert_int_equal(poll(&connected, 1, 5000), 1);
		ends.server = accept(ends.listener, NULL, NULL);
		write_text(ends.client, "hello");
		assert_reads(ends.server, "hello");
		close_ends(&ends);
	}
}

/* Far more than the window: a part is sent and not acknowledged, the rest was never sent. */
static void test_unsent(void **unused)
{
	enum { SIZE = 3000000 };
	struct ends ends = connect_ends("127.0.0.1");
	struct libsoccr_sk_data data;
	char *text = malloc(SIZE), *got = malloc(SIZE);
	int room = 8 * SIZE;

	for (int i = 0; i < SIZE; i++)
		text[i] = (char)(i * 7 + i / 251);
	assert_int_equal(setsockopt(ends.client, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)), 0);
	block();
	assert_int_equal(send(ends.client, text, SIZE, MSG_DONTWAIT), SIZE);
	shutdown(ends.client, SHUT_WR);
	ends.client = move(ends.client, NULL, &data);
	assert_int_equal(data.outq_len, SIZE);
	assert_in_range(data.unsq_len, 1, SIZE - 1);
	resume(ends.client);
	assert_int_equal(recv(ends.server, got, SIZE, MSG_WAITALL), SIZE);
	assert_memory_equal(got, text, SIZE);
	assert_end(ends.server);
	close_ends(&ends);
	free(text);
	free(got);
}

/* The whole send queue and the whole receive queue of a connection that nobody reads from. */
static void test_full_queues(void **unused)
{
	struct ends ends = connect_ends("::1");
	struct libsoccr_sk_data data;
	static char chunk[65536];
	size_t written = 0, read = 0;
	ssize_t n;

	memset(chunk, 'x', sizeof(chunk));
	while ((n = send(ends.server, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		written += (size_t)n;
	block();
	ends.client = move(ends.client, NULL, &data);
	assert_in_range(data.inq_len, 1, written);
	assert_same(ends.client, &data);
	ends.server = move(ends.server, NULL, &data);
	assert_in_range(data.outq_len, 1, written);
	resume(ends.server);
	resume(ends.client);
	shutdown(ends.server, SHUT_WR);
	while ((n = recv(ends.client, chunk, sizeof(chunk), 0)) > 0)
		read += (size_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(read, written);
	close_ends(&ends);
}

static void test_goes_on_after_save(void **unused)
{
	struct ends ends = connect_ends("127.0.0.1");
	struct libsoccr_sk_data data;
	struct libsoccr_sk *sk = libsoccr_pause(ends.client);

	assert_non_null(sk);
	assert_int_equal(libsoccr_save(sk, &data, sizeof(data)), 68);
	libsoccr_resume(sk);
	write_text(ends.client, "still here");
	assert_reads(ends.server, "still here");
	close_ends(&ends);
}

static void test_bad_arguments(void **unused)
{
	struct ends ends = connect_ends("127.0.0.1");
	struct libsoccr_sk *sk = libsoccr_pause(ends.client);
	struct libsoccr_sk_data data = { .state = TCP_ESTABLISHED };
	union libsoccr_addr addr = make_addr("127.0.0.1", 1);

	assert_null(libsoccr_pause(ends.listener));
	assert_null(libsoccr_pause(-1));
	assert_int_equal(libsoccr_save(sk, &data, 67), -1);
	assert_int_equal(libsoccr_save(sk, NULL, 68), -1);
	assert_int_equal(libsoccr_set_queue_bytes(sk, TCP_NO_QUEUE, NULL, 0), -1);
	assert_int_equal(libsoccr_set_queue_bytes(sk, TCP_RECV_QUEUE, NULL, 8), -1);
	assert_int_equal(libsoccr_set_addr(sk, 1, &addr, 8), -1);
	assert_int_equal(libsoccr_set_addr(sk, 2, &addr, 0), -1);
	assert_null(libsoccr_get_addr(sk, 1, 0));
	assert_null(libsoccr_get_queue_bytes(sk, TCP_RECV_QUEUE, 0));
	assert_int_equal(libsoccr_restore(sk, &data, sizeof(data)), -1);
	libsoccr_resume(sk);
	write_text(ends.client, "unharmed");
	assert_reads(ends.server, "unharmed");
	close_ends(&ends);
}

static int enter_network(void **unused)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) < 0) {
		print_message("no right to make a network namespace\n");
		exit(77);
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	assert_non_null(nft);
	return 0;
}

static int leave_network(void **unused)
{
	nft_ctx_free(nft);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),	      cmocka_unit_test(test_syn_sent),
		cmocka_unit_test(test_unsent),	      cmocka_unit_test(test_full_queues),
		cmocka_unit_test(test_bad_arguments), cmocka_unit_test(test_goes_on_after_save),
	};

	return cmocka_run_group_tests(tests, enter_network, leave_network);
}
