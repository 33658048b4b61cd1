/* SPDX-License-Identifier: GPL-2.0-only */
/* Who bears the root task where criu itself may not go. */
#include "object/namespace/midwife.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/grace.h"
#include "base/interrupt.h"
#include "object/namespace/join.h"
#include "object/namespace/namespace.h"
#include "options/options.h"
#include "session/session.h"
#include "session/state.h"

enum { IDLE, ASKED, ANSWERED };

struct midwife {
	pid_t parent;  /* of the midwife, whose child the root will be */
	pid_t midwife; /* our parent */
	/* Shared with it. */
	uint32_t *state;
	struct birth_order *order;
	bool has_entered; /* what only the midwife knows: an attempt before has brought it there */
};

/* --- an order --- */

size_t birth_order_size(size_t n_groups)
{
	return sizeof(struct birth_order) + n_groups * sizeof(uint32_t);
}

static int birth_fails(struct birth_order *order, const char *what)
{
	order->error = -errno;
	order->failed = what;
	return -1;
}

static int take_login(struct birth_order *order)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", order->loginuid);
	(void)file_write_text(AT_FDCWD, "/proc/thread-self/loginuid", text); /* criu has warned */
	return 0;
}

static int take_groups(struct birth_order *order, size_t n, const char *what)
{
	return syscall(SYS_setgroups, n, order->groups) < 0 ? birth_fails(order, what) : 0;
}

static int enter_all(struct birth_order *order)
{
	while (order->n) {
		int flag = order->enter[0].flag;

		if (flag == CLONE_NEWUSER && order->takes_groups &&
		    take_groups(order, order->n_groups, "taking the groups of the root task") < 0)
			return -1;
		if (setns(order->enter[0].fd, flag) < 0)
			return birth_fails(order, order->enter[0].what);
		if (flag == CLONE_NEWUSER && !order->takes_groups &&
		    take_groups(order, 0, "having no groups in the user namespace") < 0)
			return -1;
		memmove(order->enter, order->enter + 1, --order->n * sizeof(order->enter[0]));
	}
	return 0;
}

void birth_order_run(struct birth_order *order)
{
	order->error = 0;
	order->failed = NULL;
	if (order->takes_login)
		take_login(order);
	if (enter_all(order) < 0)
		return;
	if (order->makes_files) {
		syscall(SYS_setfsgid, order->gid);
		syscall(SYS_setfsuid, order->uid);
	}
	order->error = restorer_birth_run(&order->birth);
}

int birth_order_result(const struct birth_order *order)
{
	if (order->error >= 0)
		return 0;
	return order->failed ? fail(-order->error, "%s", order->failed) : restorer_birth_result(&order->birth);
}

/* --- the midwife --- */

/* The tasks inherit it: criu may have raised its own. */
static void copy_limit(pid_t criu)
{
	struct rlimit limit;

	if (prlimit(criu, RLIMIT_NOFILE, NULL, &limit) == 0)
		(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void answer_order(struct midwife *midwife, pid_t criu)
{
	if (__atomic_load_n(midwife->state, __ATOMIC_SEQ_CST) != ASKED)
		return;
	copy_limit(criu);
	if (midwife->has_entered)
		midwife->order->n = 0;
	birth_order_run(midwife->order);
	midwife->has_entered = !midwife->order->n;
	__atomic_store_n(midwife->state, ANSWERED, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, midwife->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void __attribute__((noreturn)) end_like(int status)
{
	sigset_t one;

	if (!WIFSIGNALED(status))
		_exit(WEXITSTATUS(status));
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, WTERMSIG(status));
	prctl(PR_SET_DUMPABLE, 0); /* one core is enough */
	kill(getpid(), WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	_exit(128 + WTERMSIG(status));
}

/* Signals that are sent to us are for criu. Those of a terminal it has got itself. */
static void __attribute__((noreturn)) be_midwife(struct midwife *midwife, pid_t criu, const sigset_t *all)
{
	siginfo_t info;
	int status;

	for (;;) {
		int signal = sigwaitinfo(all, &info);

		if (signal == SIGCHLD && waitpid(criu, &status, WNOHANG) == criu)
			end_like(status);
		else if (signal == SIGUSR1 && info.si_pid == criu)
			answer_order(midwife, criu);
		else if (signal > 0 && signal != SIGCHLD && info.si_code <= 0)
			kill(criu, signal);
	}
}

/* As fork(2), but with the same table of descriptors: those of criu are those of the root task at its birth. */
static pid_t make_child(void)
{
	struct clone_args args = { .flags = CLONE_FILES | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
				   .exit_signal = SIGCHLD };
	struct robust_list_head *robust = NULL;
	size_t size = 0;
	long pid;

	/* Where the C library keeps the number of this thread, and its robust futexes: fork(2) of the library sets
	 * both. */
	if (prctl(PR_GET_TID_ADDRESS, &args.child_tid) < 0)
		return -1;
	(void)syscall(SYS_get_robust_list, 0, &robust, &size);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0 && robust)
		(void)syscall(SYS_set_robust_list, robust, size);
	return (pid_t)pid;
}

static int make_midwife(struct midwife *midwife)
{
	sigset_t all, old;
	pid_t criu;

	midwife->parent = getppid();
	midwife->midwife = getpid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	criu = make_child();
	if (criu > 0)
		be_midwife(midwife, criu, &all);
	if (criu == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		interrupt_take_over();
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return criu < 0 ? fail_errno("making a process that goes on as criu") : 0;
}

/*
 * What becomes the midwife is this process, as long as it has one thread: a child of it, with the same descriptors,
 * goes on in its place.
 */
static bool is_needed(const struct options *options)
{
	bool needed = false;

	if (!options->restore_sibling)
		return false;
	for (size_t i = 0; i < options->join_ns.n; i++)
		if (options->join_ns.items[i].flag == CLONE_NEWUSER)
			needed = !join_is_own_users(&options->join_ns.items[i]);
	return needed;
}

static const struct state_type midwife_state = { sizeof(struct midwife), NULL };

struct midwife *midwife_of(const struct restore *r)
{
	return state_find(r->states, &midwife_state);
}

int namespaces_restore_begin(struct restore *r)
{
	const size_t size = sizeof(uint64_t) + birth_order_size(NGROUPS_MAX);
	struct midwife *midwife;
	void *shared;

	if (!is_needed(r->options))
		return 0;
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED)
		return fail_errno("shared memory for a process that enters the user namespace");
	midwife = state_make(r->states, &midwife_state); /* the memory stays as long as this process */
	midwife->state = shared;
	midwife->order = (struct birth_order *)((uint64_t *)shared + 1);
	return make_midwife(midwife);
}

pid_t namespaces_root_parent(const struct restore *r)
{
	const struct midwife *midwife = midwife_of(r);

	if (midwife)
		return midwife->parent;
	return r->options->restore_sibling ? getppid() : getpid();
}

static int await_answer(const struct midwife *midwife)
{
	const struct timespec tick = { .tv_nsec = 100000000 };
	const struct deadline deadline = deadline_in_seconds(GRACE_BROKER_MS / 1000);

	while (__atomic_load_n(midwife->state, __ATOMIC_SEQ_CST) != ANSWERED) {
		if (getppid() != midwife->midwife)
			return fail(ESRCH, "the process that is to make the root task in the user namespace is gone");
		if (deadline_passed(&deadline))
			return fail(ETIMEDOUT, "waiting for the process that is to make the root task");
		syscall(SYS_futex, midwife->state, FUTEX_WAIT, ASKED, &tick, NULL, 0);
	}
	return 0;
}

int midwife_run(struct midwife *midwife, struct birth_order *order)
{
	const size_t size = birth_order_size(order->n_groups);

	memcpy(midwife->order, order, size);
	__atomic_store_n(midwife->state, ASKED, __ATOMIC_SEQ_CST);
	if (kill(midwife->midwife, SIGUSR1) < 0)
		return fail_errno("asking for the birth of the root task");
	TRY(await_answer(midwife));
	memcpy(order, midwife->order, size);
	return birth_order_result(order);
}
