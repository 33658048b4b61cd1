/* SPDX-License-Identifier: GPL-2.0-only */
/* status and stat of a task. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "kern/proc/proc.h"
#include "kern/proc/stat.h"
#include "kern/proc/status.h"
#include "golden.h"

static void test_status(void **state)
{
	char *text = read_golden("proc/status", NULL);
	struct proc_status s;

	assert_int_equal(proc_status_parse(text, &s), 0);
	assert_string_equal(s.name, "a) (b\n\\x");
	assert_int_equal(s.umask, 027);
	assert_int_equal(s.state, 82);
	assert_int_equal(s.tgid, 28265);
	assert_int_equal(s.pid, 28265);
	assert_int_equal(s.ppid, 28261);
	assert_int_equal(s.tracer_pid, 0);
	assert_int_equal(s.uid[PROC_FS], 0);
	assert_int_equal(s.n_groups, 4);
	assert_int_equal(s.groups[0], 4);
	assert_int_equal(s.groups[3], 1000);
	assert_int_equal(s.n_levels, 1);
	assert_int_equal(s.ns_pgid[0], 28261);
	assert_int_equal(s.ns_sid[0], 3069);
	assert_false(s.kthread);
	assert_int_equal(s.threads, 1);
	assert_int_equal(s.shared_pending, 0x4000);
	assert_int_equal(s.sig_blocked, 0x4800);
	assert_int_equal(s.sig_ignored, 0x1001001);
	assert_int_equal(s.sig_caught, 0x202);
	assert_true(s.cap_permitted == 0x1fffeffffff);
	assert_int_equal(s.no_new_privs, 1);
	assert_int_equal(s.seccomp, 0);
	assert_int_equal(s.thp_enabled, 1);
	assert_int_equal(s.vm_size_kb, 22808);
	proc_status_done(&s);
	assert_null(s.groups);
	free(text);
}

static void test_status_of_nested_namespace(void **state)
{
	char text[] = "Name:\tx\nState:\tT (stopped)\nTgid:\t100\nPid:\t101\nUid:\t1\t2\t3\t4294967295\n"
		      "Groups:\t \nNStgid:\t100\t10\t1\nNSpid:\t101\t11\t2\nNSpgid:\t100\t10\t0\nNSsid:\t0\t0\t0\n"
		      "Seccomp:\t2\nSeccomp_filters:\t3\n";
	struct proc_status s;

	assert_int_equal(proc_status_parse(text, &s), 0);
	assert_int_equal(s.umask, UINT32_MAX);
	assert_int_equal(s.uid[PROC_REAL], 1);
	assert_true(s.uid[PROC_FS] == UINT32_MAX);
	assert_int_equal(s.n_groups, 0);
	assert_int_equal(s.n_levels, 3);
	assert_int_equal(s.ns_tgid[2], 1);
	assert_int_equal(s.ns_pid[s.n_levels - 1], 2);
	assert_int_equal(s.ns_pgid[2], 0);
	assert_int_equal(s.seccomp_filters, 3);
	proc_status_done(&s);
}

static void test_broken_status(void **state)
{
	static const char *const texts[] = {
		"",
		"Name:\tx\n",
		"nonsense\n",
		"State:\tR\nTgid:\t1\nPid:\tx\n",
		"State:\tR\nTgid:\t1\nPid:\t1\nUid:\t1\t2\t3\n",
		"State:\tR\nTgid:\t1\nPid:\t1\nGroups:\t1 2 x\n",
		"State:\tR\nTgid:\t1\nPid:\t1\nNSpid:\t1\t2\nNStgid:\t1\n",
		"State:\tR\nTgid:\t1\nPid:\t1\nSigPnd:\t10000000000000000\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *text = strdup(texts[i]);
		struct proc_status s;

		assert_int_equal(proc_status_parse(text, &s), -EINVAL);
		assert_null(s.groups);
		free(text);
	}
}

static void test_stat(void **state)
{
	char *text = read_golden("proc/stat", NULL);
	struct proc_stat s;

	assert_int_equal(proc_stat_parse(text, &s), 0);
	assert_int_equal(s.pid, 28265);
	assert_string_equal(s.comm, "a) (b\n\\x");
	assert_int_equal(s.state, 82);
	assert_int_equal(s.ppid, 28261);
	assert_int_equal(s.pgrp, 28261);
	assert_int_equal(s.session, 3069);
	assert_int_equal(s.tty_nr, 0);
	assert_int_equal(s.tpgid, -1);
	assert_int_equal(s.flags, 4194560);
	assert_int_equal(s.priority, 20);
	assert_int_equal(s.nice, 0);
	assert_int_equal(s.threads, 1);
	assert_int_equal(s.start_time, 270308);
	assert_int_equal(s.start_code, 4321280);
	assert_int_equal(s.end_code, 7148169);
	assert_true(s.start_stack == 140726242858752);
	assert_int_equal(s.exit_signal, 17);
	assert_int_equal(s.start_data, 9723336);
	assert_int_equal(s.end_data, 11027064);
	assert_int_equal(s.start_brk, 300916736);
	assert_true(s.arg_start == 140726242859637 && s.arg_end == 140726242859659);
	assert_true(s.env_start == 140726242859659 && s.env_end == 140726242861031);
	assert_int_equal(s.exit_code, 0);
	free(text);
}

static void test_broken_stat(void **state)
{
	struct proc_stat s;

	assert_int_equal(proc_stat_parse("", &s), -EINVAL);
	assert_int_equal(proc_stat_parse("1 (x", &s), -EINVAL);
	assert_int_equal(proc_stat_parse(") 1 (x", &s), -EINVAL);
	assert_int_equal(proc_stat_parse("1 (x) ", &s), -EINVAL);
	assert_int_equal(proc_stat_parse("1 (x) R 1 2 3", &s), -EINVAL);
}

/* A zombie that ended with 7: its exit code is in stat, and it has no umask any more. */
static void test_zombie(void **state)
{
	pid_t child = fork();
	struct proc_status status;
	struct proc_stat stat;
	siginfo_t info;
	int proc;

	if (child == 0)
		_exit(7);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	proc = proc_open(child);
	assert_true(proc >= 0);
	assert_int_equal(proc_stat_read(proc, &stat), 0);
	assert_int_equal(stat.state, 90);
	assert_int_equal(stat.ppid, getpid());
	assert_int_equal(stat.exit_code, 7 << 8);
	assert_int_equal(proc_status_read(proc, &status), 0);
	assert_int_equal(status.pid, child);
	assert_true(status.umask == UINT32_MAX);
	proc_status_done(&status);

	/* Gone: said by -ESRCH or -ENOENT, in silence. */
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(proc_stat_read(proc, &stat), -ESRCH);
	close(proc);
	assert_int_equal(proc_open(child), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),	      cmocka_unit_test(test_status_of_nested_namespace),
		cmocka_unit_test(test_broken_status), cmocka_unit_test(test_stat),
		cmocka_unit_test(test_broken_stat),   cmocka_unit_test(test_zombie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
