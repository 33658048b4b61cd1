// SPDX-License-Identifier: GPL-2.0-only
/* POSIX, flock and OFD locks of one file and a lease of another are still held, by whoever held them. */
#include <sys/file.h>

#include "subject.h"

SUBJECT(.options = "--file-locks")

static int data, shared;

static int try(int fd, int command, short type, off_t start, off_t length)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };

	return fcntl(fd, command, &lock);
}

static int work(void *arg)
{
	must(try(data, F_SETLK, F_WRLCK, 100, 10));
	wait_for_restore();
	CHECK_EQUAL(try(data, F_SETLK, F_RDLCK, 0, 10), 0); /* the parent has it shared */
	CHECK_EQUAL(try(data, F_SETLK, F_WRLCK, 0, 10), -1);
	CHECK_EQUAL(try(data, F_SETLK, F_WRLCK, 50, 0), -1);
	CHECK_EQUAL(flock(shared, LOCK_SH | LOCK_NB), 0); /* inherited: the same open file */
	return 0;
}

int main(void)
{
	data = must(open("data", O_RDWR | O_CREAT, 0600));
	shared = must(open("shared", O_RDWR | O_CREAT, 0600));

	int again = must(dup(data)), ofd = must(open("ofd", O_RDWR | O_CREAT, 0600)),
	    lease = must(open("leased", O_RDONLY | O_CREAT, 0600));

	must(flock(shared, LOCK_EX));
	pid_t child = start_child(work, NULL);

	must(try(data, F_SETLK, F_RDLCK, 0, 10));
	must(try(again, F_SETLK, F_WRLCK, 200, 0));
	must(try(ofd, F_OFD_SETLK, F_WRLCK, 5, 5));
	must(fcntl(lease, F_SETLEASE, F_RDLCK));

	checkpoint_with(1);

	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 1 };
	int other = must(open("shared", O_RDWR)), other_ofd = must(open("ofd", O_RDWR));

	join_child(child, 0);
	CHECK_EQUAL(flock(other, LOCK_EX | LOCK_NB), -1);
	CHECK_EQUAL(errno, EWOULDBLOCK);
	CHECK_EQUAL(try(other_ofd, F_OFD_SETLK, F_WRLCK, 9, 1), -1);
	CHECK_EQUAL(try(other_ofd, F_OFD_SETLK, F_WRLCK, 10, 1), 0);
	CHECK_EQUAL(fcntl(lease, F_GETLEASE), F_RDLCK);
	must(fcntl(data, F_GETLK, &lock));
	CHECK_EQUAL(lock.l_type, F_UNLCK); /* the child is gone */
	return 0;
}
