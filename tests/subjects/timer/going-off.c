// SPDX-License-Identifier: GPL-2.0-only
/* Timers that go off in any moment of a dump, hundreds of them: each expiry comes once, none is lost and none comes
 * twice. */
#include "subject.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

SUBJECT(.ignore = "SigPnd ShdPnd timers", .seconds = 20)

#define N	   200
#define SHORT_NS   100000
#define LONG_NS	   30000000
#define QUIET_MS   50
#define GIVE_UP_MS 10000

static struct timespec soon(void)
{
	return (struct timespec){ .tv_nsec = SHORT_NS + rand() % (LONG_NS - SHORT_NS) };
}

static int left_ms(bool expect)
{
	return expect ? GIVE_UP_MS : QUIET_MS;
}

static sigset_t block(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	return set;
}

static void arm(timer_t timer)
{
	must(timer_settime(timer, 0, &(struct itimerspec){ .it_value = soon() }, NULL));
}

/* Each is started again when its signal has been taken. */
static void run_posix(void)
{
	sigset_t set = block(SIGRTMIN + 3);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3 };
	timer_t timers[N];
	bool runs[N];
	int n = N;

	for (int i = 0; i < N; i++) {
		event.sigev_value.sival_int = i;
		must(timer_create(CLOCK_MONOTONIC, &event, &timers[i]));
		arm(timers[i]);
		runs[i] = true;
	}
	announce_waiter();
	for (;;) {
		int ms = left_ms(n);
		siginfo_t info = { 0 };
		int signal = sigtimedwait(&set, &info, &(struct timespec){ ms / 1000, ms % 1000 * 1000000l });

		if (signal < 0 && !n)
			return;
		CHECK_EQUAL(signal, SIGRTMIN + 3);
		CHECK_EQUAL(info.si_code, SI_TIMER);
		CHECK(runs[info.si_value.sival_int]); /* else it has come twice */
		if (is_restored()) {
			runs[info.si_value.sival_int] = false;
			n--;
		} else {
			arm(timers[info.si_value.sival_int]);
		}
	}
}

static void arm_alarm(void)
{
	must(setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = soon().tv_nsec / 1000 }, NULL));
}

static int run_alarm(void *arg)
{
	sigset_t set = block(SIGALRM);
	bool runs = true;

	announce_waiter();
	arm_alarm();
	for (;;) {
		int ms = left_ms(runs);
		int signal = sigtimedwait(&set, NULL, &(struct timespec){ ms / 1000, ms % 1000 * 1000000l });

		CHECK_EQUAL(signal, runs ? SIGALRM : -1);
		if (!runs)
			return 0;
		if (is_restored())
			runs = false;
		else
			arm_alarm();
	}
}

static int run_timerfds(void *arg)
{
	struct pollfd fds[N];
	bool runs[N];
	int n = N;

	for (int i = 0; i < N; i++) {
		fds[i] = (struct pollfd){ must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)), POLLIN };
		must(timerfd_settime(fds[i].fd, 0, &(struct itimerspec){ .it_value = soon() }, NULL));
		runs[i] = true;
	}
	announce_waiter();
	while (poll(fds, N, left_ms(n))) {
		for (int i = 0; i < N; i++) {
			uint64_t ticks = 0;

			if (!fds[i].revents)
				continue;
			CHECK(runs[i]);
			CHECK_EQUAL(read(fds[i].fd, &ticks, sizeof(ticks)), sizeof(ticks));
			CHECK_EQUAL(ticks, 1);
			if (is_restored()) {
				runs[i] = false;
				n--;
			} else {
				must(timerfd_settime(fds[i].fd, 0, &(struct itimerspec){ .it_value = soon() }, NULL));
			}
		}
	}
	CHECK_EQUAL(n, 0);
	return 0;
}

static int run_posix_child(void *arg)
{
	run_posix();
	return 0;
}

int main(void)
{
	pid_t children[] = { start_child(run_posix_child, NULL), start_child(run_alarm, NULL),
			     start_child(run_timerfds, NULL) };

	checkpoint_with(3);

	for (int i = 0; i < 3; i++)
		join_child(children[i], 0);
	return 0;
}
