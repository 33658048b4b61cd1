// SPDX-License-Identifier: GPL-2.0-only
/* Locks: inherited, on a deleted file, on a duplicate, of ranges cut in pieces, waited for; a write lease; two shared
 * flocks; one of an eventfd. */
#include <sys/eventfd.h>
#include <sys/file.h>
#include <time.h>

#include "subject.h"

SUBJECT(.options = "--file-locks", .ignore = "fd",
	.not_ways = "left") /* inodes of deleted files; the first maker of an inherited lock. left: the waiter gets its
			       lock when others are killed */

static int inherited, again, waited;

static int try(int fd, int command, short type, off_t start, off_t length)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };

	return fcntl(fd, command, &lock);
}

static int holder(void *arg)
{
	wait_for_restore();
	while (access(control_path("tried"), F_OK) < 0)
		sleep_ms(5);
	return 0;
}

/* It asks for a lock that the parent has, and gets it when the parent lets go. */
static int waiter(void *arg)
{
	announce_waiter();
	CHECK_EQUAL(try(waited, F_SETLKW, F_WRLCK, 0, 1), 0);
	CHECK(is_restored());
	return 0;
}

/* All eventfds of the machine have one inode: others may have locks of it, too. */
static off_t lock_eventfd(void)
{
	struct timespec now;

	must(clock_gettime(CLOCK_MONOTONIC, &now));
	must(try(must(eventfd(0, 0)), F_SETLK, F_WRLCK, now.tv_nsec, 1));
	return now.tv_nsec;
}

static void check_eventfd(off_t place)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place, .l_len = 1 };

	must(fcntl(must(eventfd(0, 0)), F_OFD_GETLK, &lock));
	CHECK(lock.l_type == F_WRLCK && lock.l_start == place && lock.l_len == 1 && lock.l_pid == getpid());
}

int main(void)
{
	inherited = must(open("inherited", O_RDWR | O_CREAT, 0600));
	must(flock(inherited, LOCK_EX));

	pid_t child = start_child(holder, NULL);
	must(close(inherited)); /* only the child has the open file now */
	int deleted = must(open("deleted", O_RDWR | O_CREAT, 0600));
	must(try(deleted, F_SETLK, F_WRLCK, 3, 3));
	must(flock(deleted, LOCK_SH));
	must(unlink("deleted"));
	int pieces = must(open("pieces", O_RDWR | O_CREAT, 0600));
	must(try(pieces, F_SETLK, F_WRLCK, 0, 0));
	must(try(pieces, F_SETLK, F_UNLCK, 10, 10));
	must(try(pieces, F_SETLK, F_RDLCK, 30, 10));
	must(lseek(must(dup(pieces)), 5, SEEK_SET));
	int lease = must(open("leased", O_RDWR | O_CREAT, 0600));
	must(fcntl(lease, F_SETLEASE, F_WRLCK));
	must(fcntl(lease, F_SETSIG, SIGUSR1));
	int share = must(open("share", O_RDWR | O_CREAT, 0600));
	again = must(open("share", O_RDWR));
	must(flock(share, LOCK_SH));
	must(flock(again, LOCK_SH));
	int ofd = must(open("ofd", O_RDWR | O_CREAT, 0600)), ofd2 = must(open("ofd", O_RDWR));
	must(try(ofd, F_OFD_SETLK, F_WRLCK, 0, 5));
	must(try(ofd2, F_OFD_SETLK, F_WRLCK, 5, 5));
	waited = must(open("waited", O_RDWR | O_CREAT, 0600));
	must(try(waited, F_SETLK, F_WRLCK, 0, 0));
	pid_t wants = start_child(waiter, NULL);
	off_t place = lock_eventfd();

	checkpoint_with(2);

	int other = must(open("inherited", O_RDWR));
	CHECK_EQUAL(flock(other, LOCK_SH | LOCK_NB), -1);
	must(close(must(open(control_path("tried"), O_WRONLY | O_CREAT, 0600))));
	join_child(child, 0);
	CHECK_EQUAL(flock(other, LOCK_SH), 0);
	CHECK_EQUAL(fcntl(lease, F_GETLEASE), F_WRLCK);
	CHECK_EQUAL(fcntl(lease, F_GETSIG), SIGUSR1);
	other = must(open("share", O_RDWR));
	CHECK_EQUAL(flock(other, LOCK_EX | LOCK_NB), -1);
	must(flock(share, LOCK_UN));
	CHECK_EQUAL(flock(other, LOCK_EX | LOCK_NB), -1);
	must(flock(again, LOCK_UN));
	CHECK_EQUAL(flock(other, LOCK_EX | LOCK_NB), 0);
	other = must(open("pieces", O_RDWR));
	CHECK_EQUAL(try(other, F_OFD_SETLK, F_WRLCK, 9, 1), -1);
	CHECK_EQUAL(try(other, F_OFD_SETLK, F_WRLCK, 10, 10), 0);
	CHECK_EQUAL(try(other, F_OFD_SETLK, F_RDLCK, 30, 10), 0);
	CHECK_EQUAL(try(other, F_OFD_SETLK, F_RDLCK, 1000000, 1), -1);
	CHECK_EQUAL(try(ofd, F_OFD_SETLK, F_WRLCK, 5, 1), -1);
	CHECK_EQUAL(try(ofd2, F_OFD_SETLK, F_WRLCK, 4, 1), -1);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
	char name[64];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", deleted);
	must(fcntl(must(open(name, O_RDWR)), F_OFD_GETLK, &lock));
	CHECK(lock.l_type == F_WRLCK && lock.l_start == 3 && lock.l_len == 3 && lock.l_pid == getpid());
	check_eventfd(place);
	must(try(waited, F_SETLK, F_UNLCK, 0, 0));
	join_child(wants, 0);
	return 0;
}
