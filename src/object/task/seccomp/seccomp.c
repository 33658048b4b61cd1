/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Seccomp mode and filters of a thread, see seccomp(2). A thread has a chain of filters, the oldest first. Chains that
 * begin alike share their beginning in the image, and are one object in the kernel only if they were inherited or
 * synchronised. A restore makes what all threads of a process have in common one object again: only then the program
 * may synchronise its threads later (SECCOMP_FILTER_FLAG_TSYNC).
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "base/fail.h"
#include "base/vector.h"
#include "image/record.h"
#include "object/task/part.h"
#include "object/task/seccomp/chain.h"
#include "object/task/self.h"
#include "plan/plan.h"
#include "session/loss.h"
#include "session/needs.h"

/* --- dump --- */

struct seccomp_dump {
	VECTOR(SeccompFilter *) filters;
};

static void free_filters(void *state)
{
	vector_done(&((struct seccomp_dump *)state)->filters);
}

static const struct state_type seccomp_dump_state = { sizeof(struct seccomp_dump), free_filters };

static struct seccomp_dump *seccomp_dump_of(const struct dump *d)
{
	return state_find(d->states, &seccomp_dump_state);
}

static int collect_seccomp(const struct dump *d)
{
	state_make(d->states, &seccomp_dump_state);
	return 0;
}

/*
 * Whether the filter asks a listener about system calls, seccomp_unotify(2). That is a descriptor which nobody can make
 * again for a filter that is there; without it, those calls fail with ENOSYS.
 */
static bool asks_listener(const struct sock_filter *code, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (code[i].code == (BPF_RET | BPF_K) &&
		    (code[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
			return true;
	return false;
}

/* The index of a filter on top of another one (-1: the first of a chain); adds it if no other thread had it there. */
static int filter_index(const struct dump *d, int prev, const struct sock_filter *code, size_t n, uint32_t flags)
{
	struct seccomp_dump *all = seccomp_dump_of(d);
	size_t size = n * sizeof(*code);
	SeccompFilter *filter;

	for (size_t i = 0; i < all->filters.n; i++) {
		filter = all->filters.items[i];
		if ((filter->has_prev ? (int)filter->prev : -1) == prev && filter->flags == flags &&
		    filter->filter.len == size && !memcmp(filter->filter.data, code, size))
			return (int)i;
	}
	filter = pool_new(d->pool, SeccompFilter);
	seccomp_filter__init(filter);
	filter->filter.len = size;
	filter->filter.data = pool_copy(d->pool, code, size);
	filter->has_prev = prev >= 0;
	filter->prev = prev >= 0 ? (uint32_t)prev : 0;
	filter->has_flags = flags != 0;
	filter->flags = flags;
	*vector_push(&all->filters) = filter;
	if (asks_listener(code, n))
		dump_report_loss(d, "the listener of a seccomp filter (SECCOMP_RET_USER_NOTIF): the system calls that "
				    "it decided on will fail with ENOSYS");
	return (int)all->filters.n - 1;
}

static int read_flags(pid_t tid, uint64_t i, uint32_t *ret)
{
	struct __ptrace_seccomp_metadata metadata = { .filter_off = i };

	if (ptrace(PTRACE_SECCOMP_GET_METADATA, tid, sizeof(metadata), &metadata) < 0)
		return fail_errno("reading the flags of seccomp filter %d", (int)i);
	*ret = (uint32_t)metadata.flags;
	return 0;
}

/* The kernel counts from the oldest filter. */
static int dump_chain(const struct dump *d, pid_t tid, uint32_t *ret)
{
	struct sock_filter code[BPF_MAXINSNS];
	int index = -1;

	for (uint64_t i = 0;; i++) {
		long n = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, i, code);
		uint32_t flags = 0;

		if (n < 0 && errno == ENOENT && index >= 0) {
			*ret = (uint32_t)index;
			return 0;
		}
		if (n < 0 && errno == EACCES)
			return fail(EACCES, "seccomp filters can be read only by a criu with CAP_SYS_ADMIN and without "
					    "seccomp itself");
		if (n < 0)
			return fail_errno("reading seccomp filter %d", (int)i);
		TRY(read_flags(tid, i, &flags));
		index = filter_index(d, index, code, (size_t)n, flags);
	}
}

static int dump_seccomp(const struct dump *d, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	uint32_t mode = thread->dump->status.seccomp;

	if (mode == SECCOMP_MODE_DISABLED)
		return 0;
	record->has_seccomp_mode = true;
	record->seccomp_mode = (SeccompMode)mode;
	if (mode == SECCOMP_MODE_STRICT)
		return 0;
	if (mode != SECCOMP_MODE_FILTER)
		return refuse(EOPNOTSUPP, "thread %d has the unknown seccomp mode %u", thread->tid, mode);
	record->has_seccomp_filter = true;
	return dump_chain(d, thread->tid, &record->seccomp_filter);
}

/* The image is written also without filters. */
static int write_seccomp(struct dump *d)
{
	SeccompEntry record = SECCOMP_ENTRY__INIT;

	record.n_seccomp_filters = seccomp_dump_of(d)->filters.n;
	record.seccomp_filters = seccomp_dump_of(d)->filters.items;
	return image_write_one(dump_store(d), IMAGE_SECCOMP, &record);
}

/* --- restore --- */

struct seccomp_set {
	SeccompEntry *record; /* NULL: no image */
};

static const struct state_type seccomp_set_state = { sizeof(struct seccomp_set), NULL };

/* NULL: no image, or it could not be read. */
static const SeccompEntry *filters_of(const struct restore *r)
{
	const struct seccomp_set *set = state_find(r->states, &seccomp_set_state);

	return set ? set->record : NULL;
}

static int load_seccomp(const struct restore *r)
{
	struct seccomp_set *set;
	int result;

	set = state_make(r->states, &seccomp_set_state);
	result = image_read_one(r->store, IMAGE_SECCOMP, &set->record);
	if (result == -ENOENT)
		return 0;
	TRY(result);
	return seccomp_check_filters(set->record);
}

/* Older images know a mode and a chain for the whole process only. */
static SeccompMode mode_of(const struct thread *thread, uint32_t *ret_filter)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	const TaskCoreEntry *tc = thread->task->leader->core->tc;

	if (!record->has_seccomp_mode && tc->has_old_seccomp_mode) {
		*ret_filter = tc->old_seccomp_filter;
		return tc->old_seccomp_mode;
	}
	*ret_filter = record->seccomp_filter;
	return record->has_seccomp_mode ? record->seccomp_mode : SECCOMP_MODE__disabled;
}

static struct seccomp_chain chain_of(const struct restore *r, const struct thread *thread)
{
	struct seccomp_chain chain = { 0 };
	uint32_t filter;

	if (mode_of(thread, &filter) == SECCOMP_MODE__filter)
		chain = seccomp_chain(r->pool, filters_of(r), filter);
	return chain;
}

/* Else the kernel lets nobody install filters that has no CAP_SYS_ADMIN: it might fool a setuid program. */
static bool needs_no_new_privs(const struct restore *r)
{
	return !(restore_self_of(r)->status.cap_effective >> CAP_SYS_ADMIN & 1);
}

static int check_seccomp(const struct restore *r, struct thread *thread)
{
	const CredsEntry *creds = thread->core->thread_core->creds;
	const SeccompEntry *record = filters_of(r);
	uint32_t filter;
	SeccompMode mode = mode_of(thread, &filter);

	if (mode > SECCOMP_MODE__filter)
		return refuse(EINVAL, "seccomp mode %d: the image is damaged", (int)mode);
	if (mode == SECCOMP_MODE__filter && (!record || filter >= record->n_seccomp_filters))
		return refuse(EINVAL, "seccomp filter %u is not in seccomp.img", filter);
	if (mode == SECCOMP_MODE__filter && needs_no_new_privs(r) && !(creds && creds->no_new_privs))
		return refuse(EPERM,
			      "thread %d had seccomp filters without no_new_privs: restoring it takes CAP_SYS_ADMIN",
			      thread->vtid);
	return 0;
}

/* How many filters all threads of a process have in common. */
static size_t common_length(const struct restore *r, const struct task *task, const struct seccomp_chain *leaders)
{
	size_t common = leaders->n;
	struct thread *thread;

	for_each_thread(thread, task) {
		struct seccomp_chain chain = chain_of(r, thread);
		size_t i = 0;

		while (i < common && i < chain.n && chain.filters[i] == leaders->filters[i])
			i++;
		common = i;
	}
	return common;
}

/* The leader goes first: it gives the common filters to all threads. Filters are installed as long as seccomp is
 * suspended and we are root. */
static int last_seccomp(struct restore *r, struct thread *thread, struct plan *plan)
{
	const struct task *task = thread->task;
	struct seccomp_chain chain = chain_of(r, thread), leaders;
	size_t common, i;
	uint32_t filter;

	if (mode_of(thread, &filter) == SECCOMP_MODE__strict)
		plan_syscall(plan, "enter seccomp strict mode", __NR_prctl, V(PR_SET_SECCOMP), V(SECCOMP_MODE_STRICT),
			     V(0), V(0), V(0));
	if (!chain.n)
		return 0;
	if (needs_no_new_privs(r))
		plan_syscall(plan, "set no_new_privs before the filters", __NR_prctl, V(PR_SET_NO_NEW_PRIVS), V(1),
			     V(0), V(0), V(0));
	leaders = chain_of(r, task->leader);
	common = task->n_threads > 1 ? common_length(r, task, &leaders) : 0;
	for (i = thread == task->leader ? 0 : common; i < chain.n; i++)
		seccomp_plan_filter(plan, filters_of(r)->seccomp_filters[chain.filters[i]], i < common);
	return 0;
}

static void need_seccomp(const struct restore *r, struct thread *thread)
{
	if (thread->core->thread_core->seccomp_mode)
		need_feature(r, FEATURE_ID_seccomp_suspend);
}

const struct task_part seccomp_part = {
	.name = "seccomp",
	.collect = collect_seccomp,
	.outside = dump_seccomp,
	.write = write_seccomp,
	.load = load_seccomp,
	.check = check_seccomp,
	.needs = need_seccomp,
	.last = last_seccomp,
};
