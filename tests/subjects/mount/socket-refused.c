// SPDX-License-Identifier: GPL-2.0-only
/* A mounted socket of a tmpfs is refused by name: it is made after all mounts. */
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT(.refused = "a socket is mounted there")

int main(void)
{
	struct sockaddr_un name = { AF_UNIX, "m/socket" };
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("m", 0700));
	must(mount("subject", "m", "tmpfs", 0, NULL));
	must(bind(fd, (struct sockaddr *)&name, sizeof(name)));
	must(close(must(open("m/place", O_WRONLY | O_CREAT, 0600))));
	must(mount("m/socket", "m/place", NULL, MS_BIND, NULL));

	checkpoint();

	CHECK(access("m/place", F_OK) == 0);
	return 0;
}
