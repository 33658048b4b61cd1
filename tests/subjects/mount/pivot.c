// SPDX-License-Identifier: GPL-2.0-only
/* A program in a root of its own, as in a container: its program file, files, terminals, sockets and watches are found
 * there again. */
#include <libgen.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "subject.h"

/* The directory of the runner is a mount from outside; what is watched has another inode in the new tmpfs. */
SUBJECT(.dump_options = "--external mnt[]", .ignore = "fd")

static void copy_program(const char *to)
{
	int from = must(open("/proc/self/exe", O_RDONLY)), fd = must(open(to, O_WRONLY | O_CREAT, 0755));
	char block[65536];
	ssize_t n;

	while ((n = must(read(from, block, sizeof(block)))) > 0)
		CHECK_EQUAL(write(fd, block, (size_t)n), n);
	must(close(from));
	must(close(fd));
}

static void make_directories(const char *below, const char *path)
{
	char name[512];

	snprintf(name, sizeof(name), "%s%s", below, path);
	for (char *slash = strchr(name + strlen(below) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(name, 0755) < 0 && errno != EEXIST)
			must(-1);
		*slash = '/';
	}
	if (mkdir(name, 0755) < 0 && errno != EEXIST)
		must(-1);
}

static void build_root(void)
{
	char control[256], to[512];

	snprintf(control, sizeof(control), "%s", control_path("x"));
	dirname(control);
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("root", 0755));
	must(mount("root", "root", "tmpfs", 0, "mode=755"));
	must(mkdir("root/proc", 0755));
	must(mkdir("root/dev", 0755));
	must(mkdir("root/dev/pts", 0755));
	must(mkdir("root/tmp", 01777));
	must(mkdir("root/old", 0755));
	must(mknod("root/dev/null", S_IFCHR | 0666, makedev(1, 3)));
	must(mount("proc", "root/proc", "proc", MS_NOSUID, NULL));
	must(mount("devpts", "root/dev/pts", "devpts", 0, "newinstance,mode=620,ptmxmode=666"));
	must(mount("tmp", "root/tmp", "tmpfs", 0, NULL));
	copy_program("root/program");
	make_directories("root", control);
	snprintf(to, sizeof(to), "root%s", control);
	must(mount(control, to, NULL, MS_BIND, NULL));
	must(chdir("root"));
	must(syscall(SYS_pivot_root, ".", "old"));
	must(chdir("/"));
	must(umount2("/old", MNT_DETACH));
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = must(socket(AF_UNIX, SOCK_STREAM, 0));

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	must(listen(fd, 5));
	return fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -1 : fd;
}

static int live_inside(void)
{
	int master, slave, off = 0, number, listener, watches, fifo, gone, dir;
	char text[512] = "", event[512];

	master = must(open("/dev/pts/ptmx", O_RDWR | O_NOCTTY));
	must(ioctl(master, TIOCSPTLCK, &off));
	slave = must(open("/dev/pts/0", O_RDWR | O_NOCTTY));
	listener = listen_at("/tmp/socket");
	must(mkdir("/tmp/watched", 0700));
	watches = must(inotify_init());
	must(inotify_add_watch(watches, "/tmp/watched", IN_CREATE));
	must(mkfifo("/tmp/fifo", 0600));
	fifo = must(open("/tmp/fifo", O_RDWR));
	CHECK_EQUAL(write(fifo, "fifo", 4), 4);
	gone = must(open("/tmp/watched", O_TMPFILE | O_RDWR, 0600));
	CHECK_EQUAL(write(gone, "gone", 4), 4);
	dir = must(open("/tmp", O_RDONLY | O_DIRECTORY));
	must(mkdir("/tmp/chroot", 0700));
	must(chdir("/tmp/chroot"));

	checkpoint();

	CHECK(readlink("/proc/self/exe", text, sizeof(text)) == 8 && !memcmp(text, "/program", 8));
	CHECK(getcwd(text, sizeof(text)) && !strcmp(text, "/tmp/chroot"));
	CHECK(ioctl(master, TIOCGPTN, &number) == 0 && number == 0);
	CHECK(write(master, "line\n", 5) == 5 && read(slave, text, sizeof(text)) == 5 && !memcmp(text, "line\n", 5));
	CHECK(ttyname_r(slave, text, sizeof(text)) == 0 && !strcmp(text, "/dev/pts/0"));
	CHECK(connect_to("/tmp/socket") >= 0 && accept(listener, NULL, NULL) >= 0);
	must(close(must(open("/tmp/watched/new", O_WRONLY | O_CREAT, 0600))));
	CHECK(read(watches, event, sizeof(event)) > (ssize_t)sizeof(struct inotify_event));
	CHECK(!strcmp(((struct inotify_event *)event)->name, "new"));
	CHECK(read(fifo, text, sizeof(text)) == 4 && !memcmp(text, "fifo", 4));
	CHECK(pread(gone, text, sizeof(text), 0) == 4 && !memcmp(text, "gone", 4));
	CHECK(faccessat(dir, "watched/new", F_OK, 0) == 0);
	CHECK(access("/old", F_OK) == 0 && access("/old/dev", F_OK) < 0);
	return 0;
}

int main(int argc, char **argv)
{
	if (getenv("INSIDE"))
		return live_inside();
	build_root();
	must(setenv("INSIDE", "yes", 1));
	must(execv("/program", argv));
	return 1;
}
