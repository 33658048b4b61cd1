// SPDX-License-Identifier: GPL-2.0-only
/* A signal that comes to a stopped process interrupts the system call that it was in: with EINTR, or the call goes on
 * if it wants that. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "calls.h"
#include "subject.h"

SUBJECT()

static volatile sig_atomic_t handled;
static int empty[2];

static void handle(int signal)
{
	handled = signal;
}

static int await(int flags, long (*call)(void))
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = flags };

	must(sigaction(SIGUSR1, &action, NULL));
	announce_waiter();
	CHECK(call() == -1 && errno == EINTR);
	CHECK_EQUAL(handled, SIGUSR1);
	return 3;
}

static long call_pause(void)
{
	return pause();
}

static long call_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(empty[0], &set);
	return select(empty[0] + 1, &set, NULL, NULL, NULL);
}

static long call_poll(void)
{
	return poll(&(struct pollfd){ .fd = empty[0], .events = POLLIN }, 1, -1);
}

static long call_epoll(void)
{
	struct epoll_event event;

	return epoll_wait(epoll_create1(0), &event, 1, -1);
}

static long call_read(void)
{
	char byte;

	return read(empty[0], &byte, 1);
}

static int in_pause(void *unused)
{
	return await(SA_RESTART, call_pause);
}

static int in_select(void *unused)
{
	return await(SA_RESTART, call_select);
}

static int in_poll(void *unused)
{
	return await(SA_RESTART, call_poll);
}

static int in_epoll(void *unused)
{
	return await(SA_RESTART, call_epoll);
}

static int in_read(void *unused)
{
	return await(0, call_read);
}

/* The handler is run, the call goes on. */
static int in_restarted_read(void *unused)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
	char byte;

	must(sigaction(SIGUSR1, &action, NULL));
	announce_waiter();
	CHECK_EQUAL(read(empty[0], &byte, 1), 1);
	CHECK_EQUAL(handled, SIGUSR1);
	return 3;
}

#define N 6

/* select(3) is pselect6(2) here. */
static const long numbers[N] = { CALL_PAUSE, SYS_pselect6, CALL_POLL, CALL_EPOLL_WAIT, SYS_read, SYS_read };

int main(void)
{
	static int (*const works[N])(void *) = { in_pause, in_select, in_poll, in_epoll, in_read, in_restarted_read };
	siginfo_t info;
	pid_t pids[N];

	must(pipe(empty));
	for (int i = 0; i < N; i++)
		pids[i] = start_child(works[i], NULL);
	for (int i = 0; i < N; i++) {
		await_call(pids[i], numbers[i]);
		must(kill(pids[i], SIGSTOP));
		must(waitid(P_PID, (id_t)pids[i], &info, WSTOPPED | WNOWAIT));
		must(kill(pids[i], SIGUSR1));
	}

	checkpoint_with(N);

	for (int i = 0; i < N; i++)
		must(kill(pids[i], SIGCONT));
	for (int i = 0; i < N - 1; i++)
		join_child(pids[i], 3);
	CHECK_EQUAL(write(empty[1], "x", 1), 1);
	join_child(pids[N - 1], 3);
	return 0;
}
