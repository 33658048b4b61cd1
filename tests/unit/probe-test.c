/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of kernel features, and the children in which experiments run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kern/probe.h"

static void test_table(void **state)
{
	for (int i = 0; i < FEATURE_COUNT; i++) {
		assert_true(strlen(features[i].name) > 1);
		assert_true(features[i].since[0] >= '2' && strchr(features[i].since, '.'));
		assert_true(strlen(features[i].needed_for) > 5);
		assert_ptr_equal(feature_find(features[i].name), &features[i]); /* so no name stands there twice */
	}
	assert_null(feature_find("nonsense"));
	assert_null(feature_find(""));
}

static int return_7(void)
{
	return 7;
}

static int return_error(void)
{
	return -EPERM;
}

static int die(void)
{
	raise(SIGKILL);
	return 7;
}

static int end_early(void)
{
	_exit(7);
}

static pid_t parent;

static int is_child(void)
{
	return getpid() != parent && getppid() == parent;
}

static void test_child(void **state)
{
	parent = getpid();
	assert_int_equal(probe_in_child(is_child), 1);
	assert_int_equal(probe_in_child(return_7), 7);
	assert_int_equal(probe_in_child(return_error), -EPERM);
	assert_int_equal(probe_in_child(die), 0);
	assert_int_equal(probe_in_child(end_early), 0);
	assert_int_equal(waitpid(-1, NULL, __WALL), -1); /* all reaped */
	assert_int_equal(errno, ECHILD);
}

static void test_tracee(void **state)
{
	struct __ptrace_syscall_info info;
	int pid;

	assert_int_equal(probe_start_tracee(return_error), -EPERM);
	pid = probe_start_tracee(NULL);
	if (pid == -EPERM)
		skip();
	assert_true(pid > 0);
	assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0); /* it is stopped, and ours */
	probe_end_tracee(pid);
	assert_int_equal(waitpid(-1, NULL, __WALL), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_results_are_kept(void **state)
{
	struct probes probes = { 0 };

	probes.known[FEATURE_ID_mnt_id] = true;
	probes.result[FEATURE_ID_mnt_id] = 0;
	assert_false(probe_has(&probes, FEATURE_ID_mnt_id)); /* not tried again */
	probes.known[FEATURE_ID_mnt_id] = false;
	assert_true(probe_has(&probes, FEATURE_ID_mnt_id)); /* every kernel of this century but its first years */
	assert_true(probes.known[FEATURE_ID_mnt_id]);
	assert_false(probes.known[FEATURE_ID_uffd]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_child),
		cmocka_unit_test(test_tracee),
		cmocka_unit_test(test_results_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
