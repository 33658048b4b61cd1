// SPDX-License-Identifier: GPL-2.0-only
/* So many threads that what they have in common is looked at at once: they keep their tids and what is their own. */
#include "subject.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

SUBJECT(.seconds = 30)

#define N 130

static __thread long mine;
static const sigset_t none;

static bool waits(int signal)
{
	sigset_t set;

	CHECK_EQUAL(sigpending(&set), 0);
	return sigismember(&set, signal);
}

/* Calls that are of one thread alone, when the library does not know of them. */
static void differ(long number)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog filter = { 1, &code };
	sigset_t set = none;

	sigaddset(&set, SIGUSR1);
	if (number == 20 || number == 30)
		must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (number == 30)
		must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
	if (number == 40 && geteuid() == 0)
		(void)syscall(SYS_setresgid, -1, 1, -1); /* there may be no such group */
	if (number != 50)
		return;
	CHECK_EQUAL(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	CHECK_EQUAL(pthread_kill(pthread_self(), SIGUSR1), 0);
}

static void check_difference(long number, long group)
{
	CHECK_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), number == 20 || number == 30);
	CHECK_EQUAL(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), number == 30 ? SECCOMP_MODE_FILTER : 0);
	CHECK_EQUAL(syscall(SYS_getegid), group);
	CHECK_EQUAL(waits(SIGUSR1), number == 50);
}

static void *work(void *arg)
{
	long number = (long)arg, tid = syscall(SYS_gettid);
	char name[16], before[16];
	long group;

	mine = number * 1000;
	snprintf(before, sizeof(before), "number-%ld", number);
	must(prctl(PR_SET_NAME, before));
	differ(number);
	group = syscall(SYS_getegid);
	wait_for_restore();
	check_difference(number, group);
	CHECK_EQUAL(syscall(SYS_gettid), tid);
	CHECK_EQUAL(mine, number * 1000);
	CHECK_EQUAL(prctl(PR_GET_NAME, name), 0);
	CHECK(!strcmp(name, before));
	return (void *)(number + 100);
}

int main(void)
{
	pthread_t threads[N];

	for (long i = 0; i < N; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, work, (void *)i), 0);

	checkpoint_with(N);

	for (long i = 0; i < N; i++) {
		void *result;

		CHECK_EQUAL(pthread_join(threads[i], &result), 0);
		CHECK_EQUAL((long)result, i + 100);
	}
	return 0;
}
