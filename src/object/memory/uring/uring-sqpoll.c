/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The thread of the kernel that takes the requests of an io_uring (IORING_SETUP_SQPOLL). It is a thread of the process
 * that has made the io_uring, with the credentials that this had then, so that process makes the new one as well.
 * Nobody can stop it: the dump waits until it has nothing to do, and looks once more at the end.
 */
#include "object/memory/uring/uring-sqpoll.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "kern/last-pid.h"
#include "kern/pidfd.h"
#include "lib/compel/remote.h"
#include "object/file/file.h"
#include "object/memory/uring/uring-creds.h"
#include "object/memory/uring/uring-look.h"
#include "object/memory/uring/uring-view.h"
#include "object/memory/uring/uring-waiting.h"
#include "object/memory/uring/uring.h"
#include "object/namespace/namespace.h"
#include "object/task/part.h"
#include "plan/plan.h"

#define SECOND_MS 1000
#define OFTEN	  4096

/* --- dump --- */

/* What counts of credentials that are taken over for what somebody else asks for. */
static bool act_as_ours(struct uring_view *view, uint64_t creds)
{
	static const enum place members[] = { AT_cred_fsuid, AT_cred_fsgid,	    AT_cred_euid,
					      AT_cred_egid,  AT_cred_cap_effective, AT_cred_user_ns };
	const uint64_t own = uring_creds_own(view);

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (uring_view_member(view, own, members[i]) != uring_view_member(view, creds, members[i]))
			return false;
	return uring_view_member(view, own, AT_cred_group_info) == uring_view_member(view, creds, AT_cred_group_info);
}

/* The kernel counts in ticks of its own, whose number is told by a thread that is idle for a second. */
static int learn_second(struct uring_view *view, uint64_t *ret)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = SECOND_MS };
	AUTO_CLOSE int fd = (int)syscall(SYS_io_uring_setup, 1, &params);

	if (fd < 0)
		return fail_errno("making an io_uring to compare with");
	*ret = uring_view_member(view, uring_view_member(view, uring_view_file(view, fd), AT_file_private_data),
				 AT_io_ring_ctx_sq_thread_idle);
	return *ret && !view->error ? 0 : uring_view_give_up(view);
}

int uring_dump_thread(const struct dump *d, const struct open_file *of, const struct uring_look *look,
		      UringEntry *record)
{
	struct uring_view *view;
	uint64_t data, thread, creds, second = 0;

	if (!(look->setup & IORING_SETUP_SQPOLL))
		return 0;
	TRY(uring_view_get(d, &view));
	data = uring_view_member(view, look->ctx, AT_io_ring_ctx_sq_data);
	thread = uring_view_member(view, data, AT_io_sq_data_thread);
	if (thread)
		record->thread_pid = uring_find_vtid(
			d, uring_view_tid(view, uring_view_member(view, thread, AT_task_struct_group_leader)));
	if (!record->thread_pid)
		return refuse(EOPNOTSUPP,
			      "the thread that takes its requests (IORING_SETUP_SQPOLL) has ended, or is of a process "
			      "outside of the tree: it cannot be saved; let the program close it");
	if (look->setup & IORING_SETUP_SINGLE_ISSUER)
		return refuse(EOPNOTSUPP,
			      "a thread of the kernel takes its requests (IORING_SETUP_SQPOLL), and one thread alone "
			      "may use it (IORING_SETUP_SINGLE_ISSUER): that cannot be saved together");
	creds = uring_view_member(view, look->ctx, AT_io_ring_ctx_sq_creds);
	TRY(confinement_check_same(d, of->task, "the thread that takes its requests (IORING_SETUP_SQPOLL)"));
	if (!act_as_ours(view, creds))
		TRY(uring_creds_dump(d, view, of->task, creds,
				     "the credentials of the thread that takes its requests (IORING_SETUP_SQPOLL)",
				     &record->thread_creds));
	record->has_thread_pid = record->has_thread_tid = record->has_thread_idle = true;
	record->thread_tid = uring_view_own_tid(view, thread);
	TRY(learn_second(view, &second));
	record->thread_idle =
		(uint32_t)(uring_view_member(view, look->ctx, AT_io_ring_ctx_sq_thread_idle) * SECOND_MS / second);
	record->has_thread_cpu = look->setup & IORING_SETUP_SQ_AFF;
	record->thread_cpu = (uint32_t)uring_view_member(view, data, AT_io_sq_data_sq_cpu);
	return view->error ? uring_view_give_up(view) : 0;
}

int uring_check_thread(const UringEntry *record, const struct uring_look *look)
{
	if (look->sq_head == record->sq_head && look->shared.sq_tail == record->sq_head &&
	    look->cq_tail == record->cq_tail && look->n_waiting == record->n_requests)
		return 0;
	return refuse(EAGAIN,
		      "the thread of the kernel that takes its requests (IORING_SETUP_SQPOLL) has gone on while "
		      "the program stood still: try again");
}

/* --- restore --- */

int uring_load_thread(const UringEntry *record)
{
	if (uring_is_polled(record) != !!record->has_thread_pid ||
	    (record->has_thread_pid && (!record->has_thread_idle || record->thread_tid <= 0 ||
					uring_is_of_one(record) || record->sq_head != record->sq_tail ||
					!!(record->setup & IORING_SETUP_SQ_AFF) != !!record->has_thread_cpu)))
		return refuse(EINVAL, "files.img: the thread that takes its requests makes no sense");
	return 0;
}

int uring_link_thread(const struct restore *r, const UringEntry *record)
{
	const struct task *task = record->has_thread_pid ? task_tree_find(r->tree, record->thread_pid) : NULL;

	if (record->has_thread_pid && (!task || !task_is_live(task)))
		return refuse(EINVAL, "files.img: process %d, which has made it, is not there", record->thread_pid);
	return 0;
}

/* The kernel numbers the new thread as it likes: by the next number that is free. */
static int run_numbered(struct restore *r, struct task *task, const struct plan *plan, pid_t number)
{
	struct last_pid last = { .wanted = number - 1 };

	TRY(namespace_run(task->restore->proc, CLONE_NEWPID, last_pid_write, &last));
	TRY(remote_run(task->leader->remote, plan, &r->progress->deadline));
	last.wanted = last.old;
	return namespace_run(task->restore->proc, CLONE_NEWPID, last_pid_write, &last);
}

static pid_t find_highest(const struct task_tree *tree)
{
	struct task *task;
	struct thread *thread;
	pid_t highest = 0;

	for_each_task(task, tree)
		for_each_thread(thread, task)
			if (thread->vtid > highest)
				highest = thread->vtid;
	return highest;
}

/*
 * That of the old one. But where others make processes, too, they may be faster, and then the thread gets one of the
 * next numbers, which must not be those of threads that are still to be made.
 */
static pid_t choose_number(const struct restore *r, const UringEntry *record, const struct task *task)
{
	const bool alone = r->facts->inner_pids || task->pid_space;
	const pid_t highest = find_highest(r->tree);

	return alone || record->thread_tid > highest ? record->thread_tid : highest + 1;
}

/* The thread gets the credentials of who makes the io_uring. Returns where the descriptor is told. */
static size_t plan_setup(const UringEntry *record, size_t params, struct plan *plan)
{
	return plan_keep_result(plan, plan_syscall(plan, "make an io_uring with a thread", __NR_io_uring_setup,
						   V(record->sq_entries), D(params)));
}

static int plan_setup_as(const UringEntry *record, const struct task *task, size_t params, struct plan *plan,
			 size_t *ret_result)
{
	TRY(credentials_plan_borrow(plan, record->thread_creds, task->restore->proc));
	*ret_result = plan_setup(record, params, plan);
	return credentials_plan_return(plan, task->restore->proc);
}

int uring_setup_polled(struct restore *r, const UringEntry *record, struct io_uring_params *params, int *ret_fd)
{
	struct task *task = task_tree_find(r->tree, record->thread_pid);
	AUTO(plan_destroy) struct plan *plan = plan_create();
	size_t at, result;
	int64_t fd;

	params->sq_thread_idle = record->thread_idle;
	params->sq_thread_cpu = record->thread_cpu;
	at = plan_data(plan, params, sizeof(*params));
	if (record->thread_creds)
		TRY(plan_setup_as(record, task, at, plan, &result));
	else
		result = plan_setup(record, at, plan);
	TRY(run_numbered(r, task, plan, choose_number(r, record, task)));
	fd = remote_value(task->leader->remote, result);
	memcpy(params, remote_result(task->leader->remote, at), sizeof(*params));
	*ret_fd = pidfd_take_fd(task->restore->pidfd, (int)fd);
	if (*ret_fd < 0)
		return fail(-*ret_fd, "taking over an io_uring");
	plan_reset(plan);
	plan_syscall(plan, "close an io_uring", __NR_close, V(fd));
	return remote_run(task->leader->remote, plan, &r->progress->deadline);
}

int uring_wake_thread(int fd, const struct uring_rings *at)
{
	for (uint64_t rounds = 1; __atomic_load_n(&at->sq_head, __ATOMIC_ACQUIRE) != at->sq_tail; rounds++) {
		if (syscall(SYS_io_uring_enter, fd, 1, 0, IORING_ENTER_SQ_WAKEUP, NULL, 0) < 0)
			return fail_errno("waking the thread of an io_uring");
		sched_yield();
		if (rounds % OFTEN == 0)
			TRY(interrupt_check());
	}
	return 0;
}
