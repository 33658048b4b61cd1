// SPDX-License-Identifier: GPL-2.0-only
/* A pty that is mounted upon another file, as container managers do with the console; and one that was hung up. */
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static int open_pty(char slave[32])
{
	int master = must(open("pts/ptmx", O_RDWR | O_NOCTTY)), unlock = 0, number;

	must(ioctl(master, TIOCSPTLCK, &unlock));
	must(ioctl(master, TIOCGPTN, &number));
	snprintf(slave, 32, "pts/%d", number);
	return master;
}

static void bind_on(const char *what, const char *place)
{
	must(close(must(open(place, O_CREAT | O_WRONLY, 0600))));
	must(mount(what, place, NULL, MS_BIND, NULL));
}

static bool is_hung_up(const char *name)
{
	int fd = open(name, O_RDWR | O_NOCTTY);

	return fd < 0 && errno == EIO;
}

int main(void)
{
	char name[32], other[32], text[8] = "";
	struct stat file, place;
	int ended, master, slave, console;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("pts", 0755));
	must(mount("devpts", "pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=0620"));
	ended = open_pty(other);
	master = open_pty(name);
	slave = must(open(name, O_RDWR | O_NOCTTY));
	must(fchown(slave, 1234, 5678));
	bind_on(name, "console");
	bind_on(other, "ended");
	must(close(ended));
	CHECK(is_hung_up("ended"));

	checkpoint();

	CHECK(is_hung_up("ended"));
	CHECK(stat("console", &place) == 0 && fstat(slave, &file) == 0);
	CHECK(place.st_rdev == file.st_rdev && place.st_ino == file.st_ino && place.st_uid == 1234 &&
	      place.st_gid == 5678);
	console = open("console", O_RDWR | O_NOCTTY);
	CHECK(console >= 0 && write(master, "hello\n", 6) == 6);
	CHECK(read(console, text, 6) == 6 && !strcmp(text, "hello\n"));
	return 0;
}
