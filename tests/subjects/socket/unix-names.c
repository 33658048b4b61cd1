// SPDX-License-Identifier: GPL-2.0-only
/* Unix servers keep their names (path, relative path, abstract, removed), their connections and those that wait to be
 * accepted. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT()

struct server {
	char name[100];
	size_t size;
	bool removed;
	int listener, client, server, waiting;
};

static socklen_t address_of(const struct server *s, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, s->name, s->size);
	return offsetof(struct sockaddr_un, sun_path) + s->size;
}

static int connect_to(const struct server *s)
{
	struct sockaddr_un address;
	socklen_t size = address_of(s, &address);
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));

	must(connect(fd, (struct sockaddr *)&address, size));
	return fd;
}

static void build(struct server *s, const char *name, size_t size, bool removed)
{
	struct sockaddr_un address;
	socklen_t length;

	memcpy(s->name, name, size);
	s->size = size;
	s->removed = removed;
	s->listener = must(socket(AF_UNIX, SOCK_STREAM, 0));
	length = address_of(s, &address);
	must(bind(s->listener, (struct sockaddr *)&address, length));
	must(listen(s->listener, 3));
	s->client = connect_to(s);
	s->server = must(accept(s->listener, NULL, NULL));
	must(send(s->client, "request", 7, 0));
	must(send(s->server, "reply", 5, 0));
	s->waiting = connect_to(s);
	if (removed)
		must(unlink(name));
	else if (name[0])
		must(chmod(name, 0640));
}

static void check_name(int fd, const struct server *s, bool peer)
{
	struct sockaddr_un wanted, got = { 0 };
	socklen_t size = sizeof(got);
	socklen_t length = address_of(s, &wanted);

	must(peer ? getpeername(fd, (struct sockaddr *)&got, &size) : getsockname(fd, (struct sockaddr *)&got, &size));
	CHECK_EQUAL(size, length);
	CHECK(!memcmp(&got, &wanted, length));
}

static void check(struct server *s)
{
	struct stat st;
	char text[16];
	int fd;

	check_name(s->listener, s, false);
	check_name(s->server, s, false);
	check_name(s->client, s, true);
	CHECK_EQUAL(recv(s->server, text, sizeof(text), 0), 7);
	CHECK_EQUAL(recv(s->client, text, sizeof(text), 0), 5);
	fd = must(accept(s->listener, NULL, NULL));
	CHECK_EQUAL(send(s->waiting, "late", 4, 0), 4);
	CHECK_EQUAL(recv(fd, text, sizeof(text), 0), 4);
	if (s->name[0])
		CHECK_EQUAL(stat(s->name, &st), s->removed ? -1 : 0);
	if (s->removed)
		return;
	if (s->name[0])
		CHECK_EQUAL(st.st_mode, S_IFSOCK | 0640);
	close(connect_to(s));
}

int main(void)
{
	struct server servers[4] = { 0 };
	char path[100];

	CHECK(getcwd(path, 80));
	strcat(path, "/absolute");
	build(&servers[0], path, strlen(path) + 1, false);
	build(&servers[1], "relative", 9, false);
	build(&servers[2], "\0abstract\0name", 14, false);
	strcpy(strrchr(path, '/'), "/removed");
	build(&servers[3], path, strlen(path) + 1, true);

	checkpoint();

	for (int i = 0; i < 4; i++)
		check(&servers[i]);
	must(unlink("relative"));
	must(unlink("absolute"));
	return 0;
}
