// SPDX-License-Identifier: GPL-2.0-only
/* Sockets that took one port with SO_REUSEPORT and then switched it off, so that nobody else can join: some, or all. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

struct pair {
	int type, fds[2];
	bool on[2]; /* the option, when all are bound */
	struct sockaddr_in name;
};

static struct pair pairs[] = {
	{ .type = SOCK_STREAM, .on = { false, true } },
	{ .type = SOCK_STREAM, .on = { false, false } },
	{ .type = SOCK_DGRAM, .on = { true, false } },
	{ .type = SOCK_DGRAM, .on = { false, false } },
};

static void set_option(int fd, int value)
{
	must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value)));
}

static int get_option(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	must(getsockopt(fd, SOL_SOCKET, option, &value, &size));
	return value;
}

static void build(struct pair *p)
{
	socklen_t size = sizeof(p->name);

	p->name = (struct sockaddr_in){ AF_INET, 0, { htonl(INADDR_LOOPBACK) }, { 0 } };
	for (int i = 0; i < 2; i++) {
		p->fds[i] = must(socket(AF_INET, p->type, 0));
		set_option(p->fds[i], 1);
		must(bind(p->fds[i], (struct sockaddr *)&p->name, sizeof(p->name)));
		if (p->type == SOCK_STREAM)
			must(listen(p->fds[i], 16));
		must(getsockname(p->fds[i], (struct sockaddr *)&p->name, &size));
	}
	for (int i = 0; i < 2; i++)
		set_option(p->fds[i], p->on[i]);
}

/* Whom the connections go to. */
static unsigned connect_once(const struct pair *p)
{
	struct pollfd ask[2] = { { p->fds[0], POLLIN, 0 }, { p->fds[1], POLLIN, 0 } };
	int client = must(socket(AF_INET, SOCK_STREAM, 0));
	int taker;

	must(connect(client, (const struct sockaddr *)&p->name, sizeof(p->name)));
	CHECK_EQUAL(poll(ask, 2, 60000), 1);
	taker = ask[0].revents ? 0 : 1;
	must(close(must(accept(p->fds[taker], NULL, NULL))));
	must(close(client));
	return 1u << taker;
}

static void check(const struct pair *p)
{
	struct sockaddr_in name;
	socklen_t size = sizeof(name);
	unsigned takers = 0;

	for (int i = 0; i < 2; i++) {
		CHECK_EQUAL(get_option(p->fds[i], SO_REUSEPORT), p->on[i]);
		CHECK_EQUAL(get_option(p->fds[i], SO_REUSEADDR), 0);
		must(getsockname(p->fds[i], (struct sockaddr *)&name, &size));
		CHECK_EQUAL(name.sin_port, p->name.sin_port);
	}
	for (int i = 0; i < 100 && takers != 3 && p->type == SOCK_STREAM; i++)
		takers |= connect_once(p);
	/* Where all have switched it off, the kernel gives all connections to one. */
	CHECK(takers == 3 || p->type != SOCK_STREAM || !(p->on[0] || p->on[1]));
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		build(&pairs[i]);

	checkpoint();

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		check(&pairs[i]);
	return 0;
}
