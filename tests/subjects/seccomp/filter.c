// SPDX-License-Identifier: GPL-2.0-only
/* Chains of filters, inherited by children who add their own; also such that a restore would run into, and one with the
 * log flag. */
#include "filters.h"

SUBJECT()

static int grandchild(void *arg)
{
	must(install(SYS_getuid, 13, 0));
	wait_for_restore();
	CHECK_EQUAL(error_of(SYS_getuid), 13);
	CHECK_EQUAL(error_of(SYS_getgid), 12);
	CHECK_EQUAL(error_of(SYS_getppid), 11);
	return 0;
}

static int child(void *arg)
{
	pid_t pid;

	must(install(SYS_getgid, 12, SECCOMP_FILTER_FLAG_LOG));
	pid = start_child(grandchild, NULL);
	wait_for_restore();
	CHECK_EQUAL(error_of(SYS_getuid), 0);
	CHECK_EQUAL(error_of(SYS_getgid), 12);
	CHECK_EQUAL(error_of(SYS_getppid), 11);
	join_child(pid, 0);
	return 0;
}

static int loner(void *arg)
{
	/* What a restore itself could want to call. */
	must(install(SYS_rt_sigprocmask, EPERM, 0));
	must(install(SYS_munmap, EPERM, 0));
	must(install(SYS_futex, EPERM, 0));
	must(install(SYS_prctl, EPERM, 0));
	must(install(SYS_rt_sigaction, EPERM, 0));
	wait_for_restore();
	CHECK(prctl(PR_GET_DUMPABLE) == -1 && errno == EPERM);
	CHECK_EQUAL(error_of(SYS_getppid), 11);
	return 0;
}

int main(void)
{
	pid_t first, second;

	must(install(SYS_getppid, 11, 0));
	first = start_child(child, NULL);
	second = start_child(loner, NULL);

	checkpoint_with(3);

	CHECK_EQUAL(error_of(SYS_getppid), 11);
	CHECK_EQUAL(error_of(SYS_getgid), 0);
	join_child(first, 0);
	join_child(second, 0);
	return 0;
}
