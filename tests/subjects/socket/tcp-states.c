// SPDX-License-Identifier: GPL-2.0-only
/* TCP connections in every state go on, with full queues both ways and closed windows: IPv4, IPv6 and IPv4 on an IPv6
 * socket. */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.options = "--tcp-established", .seconds = 120)

struct end {
	int fd;
	unsigned seed;
	size_t written; /* bytes that the other end has not read */
	int state;
};

struct couple {
	const char *what;
	struct end a, b; /* who connected, who accepted */
};

static char chunk[16384];

static void fill_chunk(unsigned seed, size_t at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		chunk[i] = (char)((at + i) * 31 + ((at + i) >> 8) + seed);
}

static struct couple build(const char *what, const char *host, bool mapped)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	bool is_v4 = !strchr(host, ':');
	struct sockaddr *address = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t size = is_v4 ? sizeof(v4) : sizeof(v6);
	int listener = must(socket(address->sa_family, SOCK_STREAM, 0)), off = 0;
	static unsigned seed;
	struct couple c = { .what = what };

	CHECK_EQUAL(inet_pton(address->sa_family, host, is_v4 ? (void *)&v4.sin_addr : &v6.sin6_addr), 1);
	if (mapped)
		must(setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)));
	must(bind(listener, address, size));
	must(listen(listener, 1));
	must(getsockname(listener, address, &size));
	c.a = (struct end){ .fd = must(socket(address->sa_family, SOCK_STREAM, 0)), .seed = seed++ };
	must(connect(c.a.fd, address, size));
	c.b = (struct end){ .fd = must(accept(listener, NULL, NULL)), .seed = seed++ };
	close(listener);
	return c;
}

/* Until nothing more goes in: the window of the other end is closed then, and our own queue full. */
static void fill_queue(struct end *end)
{
	for (int idle = 0; idle < 5; idle++) {
		ssize_t n;

		fill_chunk(end->seed, end->written, sizeof(chunk));
		while ((n = send(end->fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0) {
			end->written += (size_t)n;
			fill_chunk(end->seed, end->written, sizeof(chunk));
			idle = 0;
		}
		sleep_ms(5);
	}
}

/* Reads all that the other end had written, and then its end if it has closed. */
static void drain(const struct end *from, const struct end *to, bool closed)
{
	static char got[sizeof(chunk)];

	for (size_t at = 0; at < from->written;) {
		struct pollfd ready = { to->fd, POLLIN, 0 };
		ssize_t n;

		CHECK_EQUAL(poll(&ready, 1, 60000), 1);
		n = recv(to->fd, got, sizeof(got), 0);
		CHECK(n > 0);
		fill_chunk(from->seed, at, (size_t)n);
		CHECK(!memcmp(chunk, got, (size_t)n));
		at += (size_t)n;
	}
	if (closed)
		CHECK_EQUAL(recv(to->fd, got, 1, 0), 0);
}

static void talk(const struct end *from, const struct end *to)
{
	char text[8];

	CHECK_EQUAL(send(from->fd, "go on", 5, 0), 5);
	CHECK_EQUAL(recv(to->fd, text, 5, MSG_WAITALL), 5);
}

#define CASES 6

static const struct {
	int a, b;
} states[CASES] = {
	{ TCP_ESTABLISHED, TCP_ESTABLISHED }, { TCP_FIN_WAIT1, TCP_ESTABLISHED }, { TCP_FIN_WAIT2, TCP_CLOSE_WAIT },
	{ TCP_CLOSING, TCP_FIN_WAIT2 },	      { TCP_LAST_ACK, TCP_FIN_WAIT2 },	  { TCP_CLOSE_WAIT, TCP_FIN_WAIT2 },
};

static void await_state(struct end *end, int state)
{
	while (tcp_state(end->fd) != state)
		sleep_ms(5);
	end->state = state;
}

static void prepare(struct couple *c, const char *host, bool mapped)
{
	for (int i = 0; i < CASES; i++)
		c[i] = build(host, host, mapped);
	fill_queue(&c[0].a); /* full both ways */
	fill_queue(&c[0].b);
	fill_queue(&c[1].a); /* FIN-WAIT-1 */
	must(shutdown(c[1].a.fd, SHUT_WR));
	must(shutdown(c[2].a.fd, SHUT_WR)); /* FIN-WAIT-2 and CLOSE-WAIT, with data */
	fill_queue(&c[2].b);
	fill_queue(&c[3].a); /* CLOSING */
	must(shutdown(c[3].a.fd, SHUT_WR));
	must(shutdown(c[3].b.fd, SHUT_WR));
	must(shutdown(c[4].b.fd, SHUT_WR)); /* LAST-ACK */
	fill_queue(&c[4].a);
	must(shutdown(c[4].a.fd, SHUT_WR));
	must(shutdown(c[5].b.fd, SHUT_WR)); /* FIN-WAIT-2 and CLOSE-WAIT, the other way round and empty */
	for (int i = 0; i < CASES; i++) {
		await_state(&c[i].a, states[i].a);
		await_state(&c[i].b, states[i].b);
	}
}

static void check(struct couple *c)
{
	for (int i = 0; i < CASES; i++) {
		CHECK_EQUAL(tcp_state(c[i].a.fd), c[i].a.state);
		CHECK_EQUAL(tcp_state(c[i].b.fd), c[i].b.state);
	}
	for (int i = 0; i < CASES; i++) {
		drain(&c[i].a, &c[i].b, i == 1 || i == 2 || i == 3 || i == 4);
		drain(&c[i].b, &c[i].a, i == 3 || i == 4 || i == 5);
	}
	talk(&c[0].a, &c[0].b);
	talk(&c[0].b, &c[0].a);
	talk(&c[1].b, &c[1].a);
	talk(&c[2].b, &c[2].a);
	talk(&c[5].a, &c[5].b);
	CHECK_EQUAL(shutdown(c[5].a.fd, SHUT_WR), 0);
	CHECK_EQUAL(recv(c[5].b.fd, chunk, 1, 0), 0);
}

/* The listener does not hear the request, until its filter is gone. */
static int request(int *ret_listener)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sock_filter drop_all[] = { { BPF_RET | BPF_K, 0, 0, 0 } };
	struct sock_fprog program = { 1, drop_all };
	socklen_t size = sizeof(address);
	int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));

	*ret_listener = must(socket(AF_INET, SOCK_STREAM, 0));
	must(setsockopt(*ret_listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	must(bind(*ret_listener, (struct sockaddr *)&address, size));
	must(listen(*ret_listener, 1));
	must(getsockname(*ret_listener, (struct sockaddr *)&address, &size));
	CHECK(connect(fd, (struct sockaddr *)&address, size) == -1 && errno == EINPROGRESS);
	return fd;
}

int main(void)
{
	struct couple v4[CASES], v6[CASES], mapped[CASES];
	int listener, fd = request(&listener), error = -1, none = 0;
	struct pollfd ready = { fd, POLLOUT, 0 };
	socklen_t size = sizeof(error);

	prepare(v4, "127.0.0.1", false);
	prepare(v6, "::1", false);
	prepare(mapped, "::ffff:127.0.0.1", true);
	CHECK_EQUAL(tcp_state(fd), TCP_SYN_SENT);

	checkpoint();

	CHECK_EQUAL(tcp_state(fd), TCP_SYN_SENT);
	check(v4);
	check(v6);
	check(mapped);
	CHECK_EQUAL(setsockopt(listener, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)), 0);
	CHECK_EQUAL(poll(&ready, 1, 60000), 1);
	CHECK_EQUAL(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
	CHECK_EQUAL(error, 0);
	CHECK(accept(listener, NULL, NULL) >= 0);
	return 0;
}
