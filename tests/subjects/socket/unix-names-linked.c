// SPDX-License-Identifier: GPL-2.0-only
/* Unix sockets that were bound by a path with a symbolic link in it are found by that path again: absolute, relative,
 * and relative to a directory that the program has left. */
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT()

static int make(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	must(listen(fd, 5));
	return fd;
}

static void check(int server, const char *name, const char *told)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX }, own = { 0 };
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));
	socklen_t size = sizeof(own);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	must(connect(fd, (struct sockaddr *)&address, sizeof(address)));
	must(close(must(accept(server, NULL, NULL))));
	must(getsockname(server, (struct sockaddr *)&own, &size));
	CHECK(!strcmp(own.sun_path, told));
	must(close(fd));
}

int main(void)
{
	char cwd[60], absolute[100];

	must(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	must(mkdir("real", 0700));
	must(mkdir("real/deep", 0700));
	must(mkdir("other", 0700));
	must(symlink("real", "link"));
	snprintf(absolute, sizeof(absolute), "%s/link/absolute", cwd);

	int one = make(absolute), two = make("link/relative"), three;

	must(chdir("other"));
	must(symlink("deep", "../real/way"));
	must(chdir("../real"));
	three = make("way/left");
	must(chdir(cwd));

	checkpoint();

	check(one, absolute, absolute);
	check(one, "real/absolute", absolute);
	check(two, "real/relative", "link/relative");
	check(three, "real/deep/left", "way/left");
	return 0;
}
