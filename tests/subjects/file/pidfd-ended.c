// SPDX-License-Identifier: GPL-2.0-only
/* Pidfds of processes that have ended: those of one process are the same inode, in a child as well, and tell how it
 * ended. */
#include <poll.h>
#include <sys/ioctl.h>

#include "subject.h"

SUBJECT()

/* linux/pidfd.h, since Linux 6.13 and 6.15 */
struct info {
	uint64_t mask, cgroup;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};

#define GET_INFO  _IOWR(0xff, 11, struct info)
#define INFO_EXIT (1u << 3)

static int exited[3], killed[2];
static bool told;

static int quit(void *arg)
{
	return 3;
}

static int wait_for_ever(void *arg)
{
	pause();
	return 0;
}

static int open_pidfd(pid_t pid, unsigned flags)
{
	return must(syscall(SYS_pidfd_open, pid, flags));
}

static ino_t number_of(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	return st.st_ino;
}

static void check(void)
{
	struct pollfd ask = { .fd = killed[1], .events = POLLIN };

	CHECK_EQUAL(number_of(exited[0]), number_of(exited[1]));
	CHECK_EQUAL(number_of(exited[0]), number_of(exited[2]));
	CHECK_EQUAL(number_of(killed[0]), number_of(killed[1]));
	CHECK_EQUAL(poll(&ask, 1, 0), 1);
	CHECK_EQUAL(syscall(SYS_pidfd_send_signal, killed[1], 0, NULL, 0), -1);
	CHECK_EQUAL(errno, ESRCH);
	CHECK(fcntl(exited[1], F_GETFL) & O_NONBLOCK);
	CHECK(!(fcntl(exited[0], F_GETFL) & O_NONBLOCK));
}

static void check_end(int fd, int exit_code)
{
	struct info info = { .mask = INFO_EXIT };

	if (!told)
		return;
	CHECK_EQUAL(ioctl(fd, GET_INFO, &info), 0);
	CHECK(info.mask & INFO_EXIT);
	CHECK_EQUAL(info.exit_code, exit_code);
}

static int work(void *arg)
{
	wait_for_restore();
	exited[2] = open_pidfd(getppid(), 0); /* a number of its own */
	close(exited[2]);
	exited[2] = exited[0];
	check();
	return 0;
}

int main(void)
{
	pid_t one = start_child(quit, NULL), two = start_child(wait_for_ever, NULL), child;
	struct info info = { .mask = INFO_EXIT };
	ino_t self;

	exited[0] = open_pidfd(one, 0);
	exited[1] = open_pidfd(one, O_NONBLOCK);
	exited[2] = must(dup(exited[0]));
	killed[0] = open_pidfd(two, 0);
	killed[1] = open_pidfd(two, 0);
	must(kill(two, SIGKILL));
	must(waitpid(one, NULL, 0));
	must(waitpid(two, NULL, 0));
	told = ioctl(exited[0], GET_INFO, &info) == 0 && info.mask & INFO_EXIT;
	self = number_of(open_pidfd(getpid(), 0));
	check();
	child = start_child(work, NULL);

	checkpoint_with(1);

	check();
	check_end(exited[0], 3 << 8);
	check_end(killed[1], SIGKILL);
	if (number_of(open_pidfd(getpid(), 0)) != number_of(open_pidfd(child, 0))) { /* since Linux 6.9 */
		CHECK(number_of(exited[0]) != number_of(killed[0]));
		CHECK(self != number_of(exited[0]));
	}
	join_child(child, 0);
	return 0;
}
