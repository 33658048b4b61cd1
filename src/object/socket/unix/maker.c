/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What SO_PEERCRED tells is who called socketpair(2), listen(2) or connect(2): these calls are made by the task that
 * has the socket, under its ids. The images do not say who it was; of the two ends of a pair the parent has most likely
 * made it.
 */
#include "object/socket/unix/maker.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "kern/pidfd.h"
#include "lib/compel/remote.h"
#include "lib/compel/restorer.h"
#include "object/socket/unix/unix.h"
#include "plan/plan.h"
#include "session/ids.h"

/* Slots of the plan. */
enum { SLOT_US = 1, SLOT_SOCKET };

#define KEEP_ID V(-1)

static const CredsEntry *creds_of(const struct task *task)
{
	return task->leader->core && task->leader->core->thread_core ? task->leader->core->thread_core->creds : NULL;
}

static bool can_make(const struct task *task)
{
	return task && task_is_live(task) && task->leader->remote && creds_of(task);
}

/* Our descriptor becomes one of the task for the length of the plan. */
static void plan_fetch(struct restore *r, struct plan *plan, int fd)
{
	restorer_plan_find_us(plan, r->us, SLOT_US);
	plan_syscall(plan, "fetch a unix socket", __NR_pidfd_getfd, S(SLOT_US), V(fd), V(0))->to_slot = SLOT_SOCKET;
}

static void plan_forget(struct plan *plan)
{
	plan_syscall(plan, "close the unix socket", __NR_close, S(SLOT_SOCKET));
	plan_syscall(plan, "close criu's pidfd", __NR_close, S(SLOT_US));
}

static void plan_groups(struct plan *plan, const uint32_t *groups, size_t n)
{
	plan_syscall(plan, "take the groups", __NR_setgroups, V(n),
		     n ? D(plan_data(plan, groups, n * sizeof(*groups))) : V(0));
}

static bool has_these_groups(const struct restore *r, const CredsEntry *creds)
{
	return r->facts->n_groups == creds->n_groups &&
	       (!r->facts->n_groups ||
		!memcmp(r->facts->groups, creds->groups, creds->n_groups * sizeof(*r->facts->groups)));
}

/* The real ids stay: they are the way back. */
static void plan_become(struct restore *r, const struct task *task, struct plan *plan)
{
	const CredsEntry *creds = creds_of(task);

	if (task->restore->inner_users)
		return; /* it has its ids already */
	if (!has_these_groups(r, creds))
		plan_groups(plan, creds->groups, creds->n_groups);
	if (creds->egid != restore_task_gid(r))
		plan_syscall(plan, "take the group id", __NR_setresgid, KEEP_ID, V(creds->egid), KEEP_ID);
	if (creds->euid != restore_task_uid(r))
		plan_syscall(plan, "take the user id", __NR_setresuid, KEEP_ID, V(creds->euid), KEEP_ID);
}

bool unix_maker_is_itself(const struct restore *r, const struct task *task)
{
	const CredsEntry *creds = creds_of(task);

	return can_make(task) && !task->restore->inner_users && has_these_groups(r, creds) &&
	       creds->egid == restore_task_gid(r) && creds->euid == restore_task_uid(r);
}

static void plan_return(struct restore *r, const struct task *task, struct plan *plan)
{
	const CredsEntry *creds = creds_of(task);
	uint32_t uid = restore_task_uid(r), gid = restore_task_gid(r);

	if (task->restore->inner_users)
		return;
	if (creds->euid != uid)
		plan_syscall(plan, "give the user id back", __NR_setresuid, KEEP_ID, V(uid), KEEP_ID);
	if (creds->egid != gid)
		plan_syscall(plan, "give the group id back", __NR_setresgid, KEEP_ID, V(gid), KEEP_ID);
	if (!has_these_groups(r, creds))
		plan_groups(plan, r->facts->groups, r->facts->n_groups);
}

static size_t keep_result(struct plan *plan, struct step *step)
{
	step->flags |= STEP_MAY_FAIL;
	return plan_keep_result(plan, step);
}

/* Runs the plan in the task; returns what the call at this offset gave. */
static int run_in_task(struct restore *r, const struct task *task, const struct plan *plan, size_t result)
{
	TRY(remote_run(task->leader->remote, plan, &r->progress->deadline));
	return (int)remote_value(task->leader->remote, result);
}

int unix_listen(struct restore *r, const struct unix_socket *socket, int fd, int backlog)
{
	const struct task *task = socket->file->owner;
	AUTO(plan_destroy) struct plan *plan = plan_create();
	size_t result;
	int error;

	if (can_make(task)) {
		plan_fetch(r, plan, fd);
		plan_become(r, task, plan);
		result = keep_result(plan, plan_syscall(plan, "listen", __NR_listen, S(SLOT_SOCKET), V(backlog)));
		plan_return(r, task, plan);
		plan_forget(plan);
		error = run_in_task(r, task, plan, result);
	} else {
		error = listen(fd, backlog) < 0 ? -errno : 0;
	}
	return error < 0 ? fail(-error, "cannot listen with a backlog of %d", backlog) : 0;
}

/* A socket file whose path may lead nowhere any more. */
static socklen_t address_of_file(int file, struct sockaddr_un *to)
{
	memset(to, 0, sizeof(*to));
	to->sun_family = AF_UNIX;
	snprintf(to->sun_path, sizeof(to->sun_path), "/proc/self/fd/%d", file);
	return sizeof(*to);
}

/* The task gets the file first, and is told its number by the address. */
static int fetch_file(struct restore *r, const struct task *task, int file)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	size_t result;

	restorer_plan_find_us(plan, r->us, SLOT_US);
	result = keep_result(plan,
			     plan_syscall(plan, "fetch a socket file", __NR_pidfd_getfd, S(SLOT_US), V(file), V(0)));
	plan_syscall(plan, "close criu's pidfd", __NR_close, S(SLOT_US));
	return run_in_task(r, task, plan, result);
}

static int connect_in_task(struct restore *r, const struct task *task, int fd, const struct unix_target *target)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	struct sockaddr_un address = target->address;
	socklen_t size = target->size;
	size_t result;
	int file = -1;

	if (target->file >= 0) {
		file = fetch_file(r, task, target->file);
		TRY(file);
		size = address_of_file(file, &address);
	}
	plan_fetch(r, plan, fd);
	plan_become(r, task, plan);
	result = keep_result(plan, plan_syscall(plan, "connect", __NR_connect, S(SLOT_SOCKET),
						D(plan_data(plan, &address, size)), V(size)));
	plan_return(r, task, plan);
	plan_forget(plan);
	if (file >= 0)
		plan_syscall(plan, "close the socket file", __NR_close, V(file));
	return run_in_task(r, task, plan, result);
}

/* Permissions may have changed since: what the task may not do any more, we do. */
int unix_connect_as(struct restore *r, const struct unix_socket *client, int fd, const struct unix_target *target)
{
	const struct task *task = client ? client->file->owner : NULL;
	struct sockaddr_un address = target->address;
	socklen_t size = target->size;

	if (can_make(task)) {
		int error = connect_in_task(r, task, fd, target);

		if (error >= 0)
			return 0;
		log_debug("Task %d cannot connect this unix socket itself (%d): its peer will see the ids of criu",
			  task->vpid, error);
	}
	if (target->file >= 0)
		size = address_of_file(target->file, &address);
	return connect(fd, (const struct sockaddr *)&address, size) < 0 ? -errno : 0;
}

static bool is_ancestor(const struct task *task, const struct task *of)
{
	for (; of; of = of->parent)
		if (of == task)
			return true;
	return false;
}

static const struct task *maker_of(const struct unix_socket *a, const struct unix_socket *b)
{
	const struct task *mine = a->file->owner, *other = b ? b->file->owner : NULL;

	return !mine || (other && is_ancestor(other, mine)) ? other : mine;
}

/* --- pairs: made in advance, twice as many with each round, as it takes two trips to the task to make any number of
 * them --- */

#define STOCK_MAX 64

struct pair_stock {
	const struct task *task;
	int type;
	unsigned n, batch;
	size_t capacity; /* in the plan */
	int ends[STOCK_MAX][2];
};

static void empty_stock(struct pair_stock *stock)
{
	while (stock->n) {
		stock->n--;
		close(stock->ends[stock->n][0]);
		close(stock->ends[stock->n][1]);
	}
}

/* Our copies of what the task made; it closes its own. */
static int take_stock(struct restore *r, struct pair_stock *stock, unsigned n)
{
	const struct task *task = stock->task;
	AUTO(plan_destroy) struct plan *plan = plan_create();
	int theirs[STOCK_MAX][2];

	for (unsigned i = 0; i < n; i++) {
		memcpy(theirs[i], remote_result(task->leader->remote, stock->capacity + i * sizeof(theirs[0])),
		       sizeof(theirs[0]));
		for (int end = 0; end < 2; end++) {
			int fd = pidfd_take_fd(task->restore->pidfd, theirs[i][end]);

			if (fd < 0)
				return fail(-fd, "cannot take over a unix socket made by a task");
			stock->ends[stock->n][end] = fd;
			plan_syscall(plan, "close a unix socket", __NR_close, V(theirs[i][end]));
		}
		stock->n++;
	}
	return remote_run(task->leader->remote, plan, &r->progress->deadline);
}

static int fill_stock(struct restore *r, struct pair_stock *stock)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();

	stock->batch = !stock->batch ? 1 : stock->batch * 2 < STOCK_MAX ? stock->batch * 2 : STOCK_MAX;
	stock->capacity = plan_space(plan, stock->batch * sizeof(stock->ends[0]));
	plan_become(r, stock->task, plan);
	for (unsigned i = 0; i < stock->batch; i++)
		plan_syscall(plan, "make a pair of unix sockets", __NR_socketpair, V(AF_UNIX), V(stock->type), V(0),
			     D(stock->capacity + i * sizeof(stock->ends[0])));
	plan_return(r, stock->task, plan);
	TRY(remote_run(stock->task->leader->remote, plan, &r->progress->deadline));
	return take_stock(r, stock, stock->batch);
}

int unix_socketpair(struct restore *r, const struct unix_socket *a, const struct unix_socket *b, int ends[2])
{
	struct pair_stock **place = &unix_set_of(r)->stock, *stock;
	const struct task *task = maker_of(a, b);
	int type = (int)a->entry->type | SOCK_CLOEXEC | ((int)a->entry->flags & SOCK_NONBLOCK);

	if (!can_make(task))
		return socketpair(AF_UNIX, type, 0, ends) < 0 ? fail_errno("cannot make a pair of unix sockets") : 0;
	if (!*place)
		*place = pool_new(r->pool, struct pair_stock);
	stock = *place;
	if (stock->task != task || stock->type != type) {
		empty_stock(stock);
		*stock = (struct pair_stock){ .task = task, .type = type };
	}
	if (!stock->n)
		TRY(fill_stock(r, stock));
	stock->n--;
	memcpy(ends, stock->ends[stock->n], sizeof(stock->ends[0]));
	return 0;
}

void unix_maker_done(struct unix_set *set)
{
	if (set->stock)
		empty_stock(set->stock);
}
