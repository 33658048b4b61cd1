// SPDX-License-Identifier: GPL-2.0-only
/* Pending signals of threads stay theirs; those of the kernel (a dead child, a timer) keep what they tell. */
#include "subject.h"

#include <pthread.h>
#include <sys/time.h>

SUBJECT()

#define N 3

static sigset_t all;

static void *work(void *arg)
{
	int number = (int)(long)arg;
	struct timespec soon = { 0, 0 };
	siginfo_t info = { 0 };
	pid_t tid = (pid_t)syscall(SYS_gettid);

	for (int i = 0; i < number + 1; i++) {
		info.si_signo = SIGRTMIN + 3 - i;
		info.si_code = -60 - i;
		info.si_pid = 1000 + number;
		info.si_value.sival_ptr = (void *)(0x123456789000 + (long)i);
		must(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, SIGRTMIN + 3 - i, &info));
	}
	wait_for_restore();
	/* The lowest number comes first. */
	for (int i = number; i >= 0; i--) {
		sigset_t one;

		sigemptyset(&one);
		sigaddset(&one, SIGRTMIN + 3 - i);
		CHECK_EQUAL(sigtimedwait(&one, &info, &soon), SIGRTMIN + 3 - i);
		CHECK_EQUAL(info.si_code, -60 - i);
		CHECK_EQUAL(info.si_pid, 1000 + number);
		CHECK_EQUAL((long)info.si_value.sival_ptr, 0x123456789000 + i);
	}
	return NULL;
}

static int dies(void *arg)
{
	return 17;
}

int main(void)
{
	struct itimerval once = { { 0, 0 }, { 0, 1000 } };
	pthread_t threads[N];
	siginfo_t info, found;
	sigset_t set;
	pid_t pid;

	sigfillset(&all);
	must(sigprocmask(SIG_BLOCK, &all, NULL));
	for (long i = 0; i < N; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	pid = start_child(dies, NULL);
	must(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	must(setitimer(ITIMER_REAL, &once, NULL));
	do {
		sleep_ms(1);
		must(sigpending(&set));
	} while (!sigismember(&set, SIGALRM));

	checkpoint_with(N);

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	CHECK_EQUAL(sigtimedwait(&set, &found, &(struct timespec){ 0, 0 }), SIGCHLD);
	CHECK_EQUAL(found.si_code, CLD_EXITED);
	CHECK_EQUAL(found.si_pid, pid);
	CHECK_EQUAL(found.si_status, 17);
	/* No other one came from the restore. */
	CHECK_EQUAL(sigtimedwait(&set, &found, &(struct timespec){ 0, 0 }), -1);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	CHECK_EQUAL(sigtimedwait(&set, &found, &(struct timespec){ 0, 0 }), SIGALRM);
	CHECK_EQUAL(found.si_code, SI_KERNEL);
	join_child(pid, 17);
	for (int i = 0; i < N; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
	return 0;
}
