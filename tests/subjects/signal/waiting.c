// SPDX-License-Identifier: GPL-2.0-only
/* Threads that wait for signals, each in another way, go on waiting and get what comes. */
#include "calls.h"
#include "subject.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>

SUBJECT()

#define N 7

static volatile sig_atomic_t handled;
static volatile pid_t tids[N];

static void handle(int signal)
{
	handled++;
}

static sigset_t only(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	return set;
}

/* All but this one are blocked. */
static sigset_t all_but(int signal)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, signal);
	return set;
}

static void announce(volatile pid_t *tid)
{
	announce_waiter();
	*tid = (pid_t)syscall(SYS_gettid);
}

static void *in_sigwaitinfo(void *arg)
{
	sigset_t set = only(SIGRTMIN + 1);

	announce(arg);
	CHECK_EQUAL(sigwaitinfo(&set, NULL), SIGRTMIN + 1);
	return NULL;
}

static void *in_sigtimedwait(void *arg)
{
	sigset_t set = only(SIGRTMIN + 1);

	announce(arg);
	CHECK_EQUAL(sigtimedwait(&set, NULL, &(struct timespec){ 1000, 0 }), SIGRTMIN + 1);
	return NULL;
}

static void *in_signalfd(void *arg)
{
	struct signalfd_siginfo info;
	sigset_t set = only(SIGRTMIN + 1);
	int fd = must(signalfd(-1, &set, SFD_CLOEXEC));

	announce(arg);
	CHECK_EQUAL(read(fd, &info, sizeof(info)), sizeof(info));
	CHECK_EQUAL(info.ssi_signo, SIGRTMIN + 1);
	return NULL;
}

static void *in_ppoll(void *arg)
{
	sigset_t set = all_but(SIGUSR2);

	announce(arg);
	CHECK(ppoll(NULL, 0, &(struct timespec){ 1000, 0 }, &set) == -1 && errno == EINTR);
	return NULL;
}

static void *in_pselect(void *arg)
{
	sigset_t set = all_but(SIGUSR2);

	announce(arg);
	CHECK(pselect(0, NULL, NULL, NULL, NULL, &set) == -1 && errno == EINTR);
	return NULL;
}

static void *in_epoll_pwait(void *arg)
{
	sigset_t set = all_but(SIGUSR2);
	struct epoll_event event;
	int fd = must(epoll_create1(EPOLL_CLOEXEC));

	announce(arg);
	CHECK(epoll_pwait(fd, &event, 1, -1, &set) == -1 && errno == EINTR);
	return NULL;
}

static void *in_pause(void *arg)
{
	sigset_t set = only(SIGUSR2);

	must(pthread_sigmask(SIG_UNBLOCK, &set, NULL));
	announce(arg);
	CHECK(pause() == -1 && errno == EINTR);
	return NULL;
}

int main(void)
{
	void *(*const works[N])(void *) = { in_sigwaitinfo, in_sigtimedwait, in_signalfd, in_ppoll,
					    in_pselect,	    in_epoll_pwait,  in_pause };
	struct sigaction action = { .sa_handler = handle };
	static const long numbers[N] = { SYS_rt_sigtimedwait, SYS_rt_sigtimedwait, SYS_read,  SYS_ppoll,
					 SYS_pselect6,	      SYS_epoll_pwait,	   CALL_PAUSE };
	pthread_t threads[N];
	sigset_t set;

	must(sigaction(SIGUSR2, &action, NULL));
	sigfillset(&set);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < N; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, works[i], (void *)(tids + i)), 0);
	for (int i = 0; i < N; i++) {
		while (!tids[i])
			sleep_ms(1);
		await_call(tids[i], numbers[i]);
	}

	checkpoint_with(N);

	CHECK_EQUAL(handled, 0);
	for (int i = 0; i < N; i++) {
		CHECK_EQUAL(pthread_kill(threads[i], i < 3 ? SIGRTMIN + 1 : SIGUSR2), 0);
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	}
	CHECK_EQUAL(handled, N - 3);
	return 0;
}
