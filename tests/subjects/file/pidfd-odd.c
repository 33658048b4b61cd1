// SPDX-License-Identifier: GPL-2.0-only
/* Pidfds: of a thread under several numbers and in a child, of the parent, without blocking, of a process outside of
 * the tree. */
#include <poll.h>
#include <pthread.h>

#include "subject.h"

SUBJECT()

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static pid_t tid;
static volatile bool done;
static int of_thread, of_parent, parent;

static void *run(void *arg)
{
	__atomic_store_n(&tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	wait_for_restore();
	while (!done)
		sleep_ms(1);
	return NULL;
}

static int open_pidfd(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int send_nothing(int fd)
{
	return (int)syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0);
}

static int work(void *arg)
{
	struct stat st, again;

	wait_for_restore();
	CHECK_EQUAL(send_nothing(of_parent), 0);
	CHECK_EQUAL(send_nothing(of_thread), 0);
	must(fstat(of_parent, &st));
	must(fstat(must(open_pidfd(parent, 0)), &again));
	CHECK_EQUAL(st.st_ino, again.st_ino);
	return 0;
}

int main(void)
{
	pthread_t thread;
	char info[512], wanted[32];

	parent = getpid();
	must(pthread_create(&thread, NULL, run, NULL));
	while (!__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
		sleep_ms(1);
	of_thread = open_pidfd(tid, PIDFD_THREAD);
	if (of_thread < 0)
		skip("this kernel has no pidfds of threads");
	of_parent = must(open_pidfd(getpid(), 0));

	int copy = must(fcntl(of_thread, F_DUPFD_CLOEXEC, 40)), quick = must(open_pidfd(getpid(), O_NONBLOCK)),
	    first = must(open_pidfd(1, 0));
	pid_t child = start_child(work, NULL);

	checkpoint_with(2);

	struct pollfd ask[] = { { of_thread, POLLIN, 0 }, { copy, POLLIN, 0 }, { first, POLLIN, 0 } };

	join_child(child, 0);
	CHECK(fcntl(quick, F_GETFL) & O_NONBLOCK);
	CHECK_EQUAL(fcntl(copy, F_GETFD), FD_CLOEXEC);
	CHECK_EQUAL(send_nothing(first), 0);
	int file = must(open("/proc/self/fdinfo/0", O_RDONLY));
	must(close(file));
	snprintf(wanted, sizeof(wanted), "/proc/self/fdinfo/%d", first);
	file = must(open(wanted, O_RDONLY));
	ssize_t got = must(read(file, info, sizeof(info) - 1));
	info[got] = 0;
	CHECK(strstr(info, "Pid:\t1\n"));
	done = true;
	pthread_join(thread, NULL);
	CHECK_EQUAL(poll(ask, 3, -1), 2);
	/* It has ended, but may not yet have lost its number. */
	while (send_nothing(copy) == 0)
		sleep_ms(1);
	CHECK_EQUAL(errno, ESRCH);
	return 0;
}
