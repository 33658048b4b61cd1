// SPDX-License-Identifier: GPL-2.0-only
/* Openings by O_PATH of everything, O_DIRECT, O_SYNC, O_NOATIME, O_APPEND without reading, positions far behind the
 * end, directories half read. */
#include <dirent.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT()

static int make(const char *name, int flags)
{
	return must(open(name, flags | O_CREAT, 0600));
}

/* Names in a directory from its position on. */
static unsigned count_names(int dir)
{
	char buffer[4096];
	unsigned n = 0;
	long got;

	while ((got = syscall(SYS_getdents64, dir, buffer, sizeof(buffer))) > 0)
		for (long at = 0; at < got; at += *(unsigned short *)(buffer + at + 16))
			n++;
	return n;
}

int main(void)
{
	struct sockaddr_un name = { AF_UNIX, "socket" };
	struct stat st;
	char text[64];

	must(mkfifo("fifo", 0600));
	must(symlink("file", "link"));
	must(mkdir("dir", 0700));
	int listener = must(socket(AF_UNIX, SOCK_STREAM, 0));
	must(bind(listener, (void *)&name, sizeof(name)));
	int file = make("file", O_RDWR | O_SYNC | O_NOFOLLOW),
	    append = make("append", O_WRONLY | O_APPEND | O_NONBLOCK);
	int direct = open("file", O_RDONLY | O_DIRECT), quiet = must(open("file", O_RDONLY | O_NOATIME | O_DSYNC));
	int fifo = must(open("fifo", O_PATH)), link = must(open("link", O_PATH | O_NOFOLLOW)),
	    node = must(open("socket", O_PATH));
	int dir = must(open("dir", O_PATH | O_DIRECTORY | O_CLOEXEC)), null = must(open("/dev/null", O_PATH)),
	    exe = must(open("/proc/self/exe", O_PATH));
	int plain = must(open("file", O_PATH));
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "dir/%d", i);
		must(close(make(text, O_WRONLY)));
	}
	int reading = must(open("dir", O_RDONLY | O_DIRECTORY));
	char some[1024];
	long got = must(syscall(SYS_getdents64, reading, some, sizeof(some)));
	unsigned seen = 0;
	for (long at = 0; at < got; at += *(unsigned short *)(some + at + 16))
		seen++;
	must(write(file, "0123456789", 10));
	must(lseek(file, 1ll << 40, SEEK_SET));
	must(write(append, "abc", 3));
	must(fchmod(append, 0200));

	checkpoint();

	CHECK_EQUAL(lseek(file, 0, SEEK_CUR), 1ll << 40);
	CHECK(fcntl(file, F_GETFL) & O_SYNC);
	CHECK_EQUAL(read(append, text, 1), -1);
	CHECK_EQUAL(write(append, "def", 3), 3);
	must(fstat(append, &st));
	CHECK_EQUAL(st.st_size, 6);
	if (direct >= 0)
		CHECK(fcntl(direct, F_GETFL) & O_DIRECT);
	CHECK(fcntl(quiet, F_GETFL) & O_NOATIME);
	CHECK_EQUAL(read(quiet, text, 64), 10);
	must(fstat(fifo, &st));
	CHECK(S_ISFIFO(st.st_mode));
	must(fstat(link, &st));
	CHECK(S_ISLNK(st.st_mode));
	must(fstat(node, &st));
	CHECK(S_ISSOCK(st.st_mode));
	must(fstat(null, &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQUAL(read(plain, text, 1), -1);
	CHECK_EQUAL(errno, EBADF);
	CHECK_EQUAL(faccessat(dir, "7", F_OK, 0), 0);
	must(fstat(exe, &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_EQUAL(seen + count_names(reading), 302);
	return 0;
}
