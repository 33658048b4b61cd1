// SPDX-License-Identifier: GPL-2.0-only
/* Leases that are being broken still are, whatever they must become: openers wait until the holder gives them up, and
 * the holder is not told again. One is inherited, and at two descriptors. */
#include <sys/wait.h>

#include "subject.h"

SUBJECT(.options = "--file-locks")

static volatile int told;

static void hear(int signal)
{
	told++;
}

/* access: of the holder; against: of who breaks it. */
static int lease(const char *name, int access, int type, int against)
{
	int fd = must(open(name, access | O_CREAT, 0600));

	must(fcntl(fd, F_SETLEASE, type));
	must(fcntl(fd, F_SETSIG, SIGUSR2));
	CHECK_EQUAL(open(name, against | O_NONBLOCK), -1);
	CHECK_EQUAL(errno, EWOULDBLOCK);
	return fd;
}

static int all, inherited;

static int work(void *arg)
{
	wait_for_restore();
	CHECK_EQUAL(fcntl(inherited, F_GETLEASE), F_UNLCK);
	return 0;
}

static int may_open(const char *name, int access)
{
	int fd = open(name, access | O_NONBLOCK);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

int main(void)
{
	signal(SIGUSR2, hear);
	int read = lease("read", O_RDONLY, F_RDLCK, O_WRONLY), down = lease("down", O_RDWR, F_WRLCK, O_RDONLY),
	    write = lease("write", O_RDWR, F_WRLCK, O_WRONLY), odd = lease("odd", O_RDONLY, F_WRLCK, O_WRONLY);

	inherited = write;
	all = must(dup(write));
	told = 0;
	pid_t child = start_child(work, NULL);

	checkpoint_with(1);

	join_child(child, 0);
	CHECK_EQUAL(fcntl(read, F_GETLEASE), F_UNLCK);
	CHECK_EQUAL(fcntl(down, F_GETLEASE), F_RDLCK);
	CHECK_EQUAL(fcntl(all, F_GETLEASE), F_UNLCK);
	CHECK_EQUAL(fcntl(odd, F_GETLEASE), F_UNLCK);
	CHECK_EQUAL(told, 0);
	CHECK_EQUAL(fcntl(read, F_GETSIG), SIGUSR2);
	CHECK_EQUAL(fcntl(down, F_GETOWN), getpid());
	/* What each still keeps out. */
	CHECK_EQUAL(may_open("read", O_RDONLY), 0);
	CHECK_EQUAL(may_open("read", O_WRONLY), EWOULDBLOCK);
	CHECK_EQUAL(may_open("odd", O_RDONLY), EWOULDBLOCK);
	CHECK_EQUAL(may_open("down", O_RDONLY), EWOULDBLOCK);
	must(fcntl(all, F_SETLEASE, F_UNLCK));
	CHECK_EQUAL(may_open("write", O_WRONLY), 0);
	must(fcntl(down, F_SETLEASE, F_UNLCK));
	CHECK_EQUAL(may_open("down", O_RDONLY), 0);
	return 0;
}
