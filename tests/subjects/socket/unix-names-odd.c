// SPDX-License-Identifier: GPL-2.0-only
/* Odd names of unix sockets: the longest, autobind, a path that was used again, another process's directory, a name
 * through a link. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT()

static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

static struct sockaddr_un path(const char *text)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, text, strlen(text));
	return address;
}

static int bound(int type, const char *text)
{
	struct sockaddr_un address = path(text);
	int fd = must(socket(AF_UNIX, type, 0));

	must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static void check_name(int fd, const struct sockaddr_un *wanted, socklen_t length)
{
	struct sockaddr_un got = { 0 };
	socklen_t size = sizeof(got);

	CHECK(!getsockname(fd, (struct sockaddr *)&got, &size));
	CHECK_EQUAL(size, length);
	CHECK(!memcmp(&got, wanted, length));
}

static void check_path(int fd, const char *text)
{
	struct sockaddr_un address = path(text);

	check_name(fd, &address, offsetof(struct sockaddr_un, sun_path) + strlen(text) + 1);
}

/* Its own directory; the relative name is nothing for its parent. */
static int child(void *unused)
{
	int fd;

	must(mkdir("below", 0700));
	must(chdir("below"));
	fd = bound(SOCK_STREAM, "relative");
	must(listen(fd, 1));
	wait_for_restore();
	check_path(fd, "relative");
	CHECK(!unlink("relative"));
	CHECK(!chdir(".."));
	CHECK(!rmdir("below"));
	return 0;
}

static int bind_linked(void)
{
	int fd;

	must(mkdir("real", 0700));
	must(symlink("real", "link"));
	fd = bound(SOCK_STREAM, "link/socket");
	must(listen(fd, 1));
	return fd;
}

static void check_linked(int fd)
{
	check_path(fd, "link/socket");
	CHECK(!unlink("real/socket"));
	CHECK(!rmdir("real"));
	CHECK(!unlink("link"));
}

int main(void)
{
	struct sockaddr_un longest = { .sun_family = AF_UNIX }, automatic[3] = { 0 };
	int full = must(socket(AF_UNIX, SOCK_STREAM, 0)), full_abstract = must(socket(AF_UNIX, SOCK_DGRAM, 0));
	int autobound[3], old[3], new[3], linked, client;
	socklen_t sizes[3];
	char text[32];
	pid_t pid;

	memset(longest.sun_path, 'p', sizeof(longest.sun_path));
	must(bind(full, (struct sockaddr *)&longest, sizeof(longest)));
	longest.sun_path[0] = 0;
	must(bind(full_abstract, (struct sockaddr *)&longest, sizeof(longest)));
	for (int i = 0; i < 3; i++) {
		autobound[i] = must(socket(AF_UNIX, types[i], 0));
		automatic[i].sun_family = AF_UNIX;
		must(bind(autobound[i], (struct sockaddr *)&automatic[i], sizeof(sa_family_t)));
		sizes[i] = sizeof(automatic[i]);
		must(getsockname(autobound[i], (struct sockaddr *)&automatic[i], &sizes[i]));
		sprintf(text, "twice%d", i);
		old[i] = bound(types[i], text);
		must(unlink(text));
		new[i] = bound(types[i], text);
		if (types[i] != SOCK_DGRAM)
			must(listen(new[i], 2));
	}
	linked = bind_linked();
	pid = start_child(child, NULL);

	checkpoint_with(1);

	check_name(full_abstract, &longest, sizeof(longest));
	longest.sun_path[0] = 'p';
	check_name(full, &longest, sizeof(longest) + 1); /* the kernel adds a NUL */
	for (int i = 0; i < 3; i++) {
		struct sockaddr_un address;

		check_name(autobound[i], &automatic[i], sizes[i]);
		sprintf(text, "twice%d", i);
		address = path(text);
		check_path(old[i], text);
		check_path(new[i], text);
		client = must(socket(AF_UNIX, types[i], 0));
		CHECK(!connect(client, (struct sockaddr *)&address, sizeof(address)));
		if (types[i] == SOCK_DGRAM) {
			CHECK_EQUAL(send(client, "x", 1, 0), 1);
			CHECK_EQUAL(recv(new[i], text + 10, 1, MSG_DONTWAIT), 1);
			CHECK(recv(old[i], text + 10, 1, MSG_DONTWAIT) == -1);
		} else {
			CHECK(accept(new[i], NULL, NULL) >= 0);
		}
		CHECK(!unlink(text));
	}
	check_linked(linked);
	CHECK(!syscall(SYS_unlinkat, AT_FDCWD, longest.sun_path, 0));
	join_child(pid, 0);
	return 0;
}
