/* SPDX-License-Identifier: GPL-2.0-only */
/* Plans: what they look like, and what happens when a restorer runs them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail.h"
#include "lib/compel/restorer.h"
#include "plan/plan-print.h"
#include "plan/plan.h"

#define ARENA (1u << 20)

static struct arena *arena;
static struct remote *restorer;
static struct deadline soon;

static int start_restorer(void **state)
{
	void *hole = mmap(NULL, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	soon = deadline_in_seconds(10);
	if (restorer_arena_create((uintptr_t)hole, ARENA, &arena) < 0 ||
	    restorer_add(arena, 0, getpid(), &restorer) < 0 || munmap(hole, ARENA) < 0 ||
	    restorer_boot(restorer, &(struct restorer_first){ 0 }) < 0)
		return -1;
	return restorer_wait_arrival(restorer, &soon);
}

static int end_restorer(void **state)
{
	kill(remote_tid(restorer), SIGKILL);
	waitpid(remote_tid(restorer), NULL, __WALL);
	restorer_arena_close(&arena);
	failure_reset();
	return 0;
}

static void test_print(void **state)
{
	static const char wanted[] = "   0 syscall 95 0x12 0x0 0x0 0x0 0x0 0x0 0x0 -> $1 ; set the umask\n"
				     "   1 syscall 1 0x1 @16 0x2 0x0 0x0 0x0 0x0 may-fail ; write\n"
				     "   2 set-int @16 $1 0x0 0x0 0x0 0x0 0x0 ; keep it\n";
	struct plan *plan = plan_create();
	int fd = memfd_create("plan", MFD_CLOEXEC);
	char text[1024] = "";
	size_t at = plan_data(plan, "hi", 2);

	plan_syscall(plan, "set the umask", __NR_umask, V(022))->to_slot = 1;
	plan_syscall(plan, "write", __NR_write, V(1), D(at), V(2))->flags |= STEP_MAY_FAIL;
	plan_step(plan, "keep it", STEP_SET_INT, (struct plan_arg[]){ D(at), S(1) }, 2);
	plan_print(plan, fd);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, wanted);
	close(fd);
	plan_destroy(&plan);
}

/* A step fails: the plan ends there, the reason is told. */
static void test_failure(void **state)
{
	struct plan *plan = plan_create();
	size_t kept;

	plan_syscall(plan, "this may fail", __NR_close, V(-1))->flags |= STEP_MAY_FAIL;
	plan_syscall(plan, "close nothing", __NR_close, V(-1));
	kept = plan_keep_result(plan, plan_syscall(plan, "never made", __NR_getpid));
	assert_int_equal(remote_run(restorer, plan, &soon), -EBADF);
	assert_non_null(strstr(failure_text(), "close nothing"));
	assert_non_null(strstr(failure_text(), "step 1"));
	assert_int_equal(remote_value(restorer, kept), 0);
	plan_destroy(&plan);
}

/* Results go into slots and into the plan; an exact step fails if its result is another. */
static void test_results(void **state)
{
	struct plan *plan = plan_create();
	size_t room = plan_space(plan, sizeof(int64_t)), old, new;
	struct step *exact, *failing;
	mode_t mask = umask(022); /* the restorer has the same */

	umask(mask);
	plan_syscall(plan, "read the umask", __NR_umask, V(027))->to_slot = 3;
	old = plan_keep_result(plan, plan_syscall(plan, "put it back", __NR_umask, S(3)));
	plan_step(plan, "copy a slot", STEP_SET_LONG, (struct plan_arg[]){ D(room), S(3) }, 2);
	failing = plan_syscall(plan, "a failure to look at", __NR_close, V(-1));
	failing->flags |= STEP_MAY_FAIL;
	new = plan_keep_result(plan, failing);
	assert_int_equal(remote_run(restorer, plan, &soon), 0);
	assert_int_equal(remote_value(restorer, old), 027);
	assert_int_equal(remote_value(restorer, new), -EBADF);
	assert_int_equal(remote_value(restorer, room), mask);
	plan_reset(plan);
	exact = plan_syscall(plan, "be somebody else", __NR_getpid);
	exact->flags |= STEP_EXACT;
	exact->arg[6] = 1;
	assert_int_equal(remote_run(restorer, plan, &soon), -ERANGE);
	plan_destroy(&plan);
}

/* A descriptor of ours arrives at the number and with the flag that was asked for. */
static void test_getfd(void **state)
{
	struct plan *plan = plan_create();
	int ends[2];
	char got[3] = "";
	size_t text = plan_data(plan, "ok", 2), flags;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	plan_syscall(plan, "find the test", __NR_pidfd_open, V(getpid()), V(0))->to_slot = 1;
	plan_step(plan, "fetch", STEP_GETFD, (struct plan_arg[]){ S(1), V(ends[1]), V(77), V(0) }, 4);
	plan_syscall(plan, "write", __NR_write, V(77), D(text), V(2));
	flags = plan_keep_result(plan, plan_syscall(plan, "flags", __NR_fcntl, V(77), V(F_GETFD)));
	assert_int_equal(remote_run(restorer, plan, &soon), 0);
	assert_int_equal(remote_value(restorer, flags), 0);
	assert_int_equal(read(ends[0], got, 2), 2);
	assert_string_equal(got, "ok");
	close(ends[0]);
	close(ends[1]);
	plan_destroy(&plan);
}

/* A child of the restorer is a restorer; its parent can reap it. */
static void test_clone(void **state)
{
	struct plan *plan = plan_create();
	struct remote *child;
	pid_t pid = remote_tid(restorer) + (remote_tid(restorer) > 16384 ? -1000 : 1000); /* below every pid_max */
	size_t made, parent, status;

	assert_int_equal(restorer_add(arena, pid, remote_tid(restorer), &child), 0);
	restorer_plan_clone(plan, child, 0, SIGCHLD, &made);
	assert_int_equal(remote_run(restorer, plan, &soon), 0);
	if (remote_value(restorer, made) == -EPERM || remote_value(restorer, made) == -EEXIST)
		skip();
	assert_int_equal(remote_value(restorer, made), pid);
	assert_int_equal(restorer_wait_arrival(child, &soon), 0);
	plan_reset(plan);
	parent = plan_keep_result(plan, plan_syscall(plan, "parent", __NR_getppid));
	assert_int_equal(remote_run(child, plan, &soon), 0);
	assert_int_equal(remote_value(child, parent), remote_tid(restorer));
	kill(pid, SIGKILL);
	plan_reset(plan);
	status = plan_space(plan, sizeof(int));
	plan_syscall(plan, "reap", __NR_wait4, V(pid), D(status), V(0), V(0));
	assert_int_equal(remote_run(restorer, plan, &soon), 0);
	assert_int_equal(*(const int *)remote_result(restorer, status), SIGKILL);
	plan_destroy(&plan);
}

/* Who dies in the middle of a plan is noticed long before the time is up. */
static void test_death(void **state)
{
	struct plan *plan = plan_create();

	plan_syscall(plan, "end", __NR_exit_group, V(0));
	assert_int_equal(remote_post(restorer, plan), 0);
	assert_int_equal(remote_wait(restorer, &soon), -ESRCH);
	assert_false(deadline_passed(&soon));
	plan_destroy(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),
		cmocka_unit_test_setup_teardown(test_failure, start_restorer, end_restorer),
		cmocka_unit_test_setup_teardown(test_results, start_restorer, end_restorer),
		cmocka_unit_test_setup_teardown(test_getfd, start_restorer, end_restorer),
		cmocka_unit_test_setup_teardown(test_clone, start_restorer, end_restorer),
		cmocka_unit_test_setup_teardown(test_death, start_restorer, end_restorer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
