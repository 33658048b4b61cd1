// SPDX-License-Identifier: GPL-2.0-only
/* Sockets whose files lie below another mount keep their names; one that was bound by a relative name also its file. */
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT()

static int bind_to(const char *path)
{
	struct sockaddr_un name = { AF_UNIX };
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));

	CHECK(strlen(path) < sizeof(name.sun_path));
	strcpy(name.sun_path, path);
	must(bind(fd, (struct sockaddr *)&name, sizeof(name)));
	must(listen(fd, 1));
	return fd;
}

static void check_name(int fd, const char *path)
{
	struct sockaddr_un name;
	socklen_t size = sizeof(name);

	CHECK(getsockname(fd, (struct sockaddr *)&name, &size) == 0 && strcmp(name.sun_path, path) == 0);
}

int main(void)
{
	char path[] = "/mnt/socket-that-is-covered";
	struct sockaddr_un name = { AF_UNIX, "relative" };
	int absolute, relative;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("m", 0700));
	must(mount("lower", "m", "tmpfs", 0, NULL));
	must(mkdir("m/in", 0700));
	must(chdir("m/in"));
	relative = bind_to("relative");
	must(mount("upper", "../../m", "tmpfs", 0, NULL));
	must(mount("lower", "/mnt", "tmpfs", 0, NULL));
	absolute = bind_to(path);
	must(mount("upper", "/mnt", "tmpfs", 0, NULL));

	checkpoint();

	check_name(relative, "relative");
	check_name(absolute, path);
	CHECK(connect(must(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&name, sizeof(name)) == 0);
	CHECK(access(path, F_OK) < 0);
	return 0;
}
