/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * If we are killed, the kernel lets our tasks run on before anybody else can notice it, and a task that finds its
 * connection in repair mode gets errors (EPERM) from it. So all threads that could use such a connection are parked:
 * should we die while there is a guard (tcp-guard.c), each waits in our blob until that has put the connection right,
 * some seconds at most.
 */
#include "object/socket/inet/tcp-park.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/list.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/table.h"
#include "lib/compel/parasite.h"
#include "object/file/file.h"
#include "session/session.h"

/* A task of which all threads are parked. */
struct tcp_parked {
	struct list all;
	struct task *task;
	struct parasite_process process;
	struct arena *arena;
	struct remote **remotes;
	unsigned n;
};

static int park_threads(struct tcp_parked *parked)
{
	struct thread *thread;

	for_each_thread(thread, parked->task) {
		const struct thread_dump *dump = thread->dump;
		struct remote *remote;

		TRY(parasite_open(parked->arena, thread->tid,
				  &(struct parasite_state){ dump->state, dump->alone, dump->sigmask }, &remote));
		parked->remotes[parked->n++] = remote;
		TRY(parasite_park(remote, dump->status.seccomp));
	}
	return 0;
}

static int park_task(struct dump *d, struct task *task, struct list *all)
{
	const struct thread_dump *leader = task->leader->dump;
	struct tcp_parked *parked = pool_new(d->pool, struct tcp_parked);
	struct thread *thread;
	size_t size = 0;

	parked->task = task;
	parked->remotes = pool_array(d->pool, struct remote *, task->n_threads);
	parked->process = (struct parasite_process){
		.tid = task->pid,
		.proc = task->dump->proc,
		.mem = openat(task->dump->proc, "mem", O_RDWR | O_CLOEXEC),
		.state = { leader->state, leader->alone, leader->sigmask },
		.watch = d->watch,
	};
	list_push(all, &parked->all);
	if (parked->process.mem < 0)
		return fail_errno("opening its memory");
	TRY(parasite_find_place(parked->process.mem, task->pid, &task->dump->mappings, leader->state, d->parasite_cache,
				&parked->process.place));
	for_each_thread(thread, task)
		size += parasite_capacity(thread->dump->state);
	TRY(parasite_arena_open(&parked->process, size, &parked->arena));
	return park_threads(parked);
}

/* The descriptor tables in which files with the marked ids are. */
static void find_tables(struct dump *d, struct table *ids, struct table *tables)
{
	size_t n;
	const struct known_descriptor *known = file_known_descriptors(d, &n);

	for (size_t i = 0; i < n; i++)
		if (table_find(ids, known[i].id))
			table_set(tables, known[i].task->ids->files_id, d);
}

int tcp_park(struct dump *d, struct table *ids, struct list *all)
{
	struct table *tables = table_create();
	struct task *task;
	int result = 0;

	find_tables(d, ids, tables);
	for_each_task(task, d->tree) {
		if (!task_is_live(task) || !table_find(tables, task->ids->files_id))
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		result = park_task(d, task, all);
		if (result < 0)
			break;
	}
	table_destroy(&tables);
	return result;
}

int tcp_unpark(struct list *all)
{
	struct tcp_parked *parked;
	int result = 0;

	list_for_each(parked, all, all) {
		int error = 0;

		for (unsigned i = 0; i < parked->n && error >= 0; i++)
			error = parasite_unpark(parked->remotes[i]);
		if (error >= 0)
			error = parasite_arena_close(&parked->arena, &parked->process);
		if (parked->process.mem >= 0)
			close(parked->process.mem);
		if (error < 0)
			result = error;
	}
	return result;
}

void tcp_hold_parked(struct list *all)
{
	struct tcp_parked *parked;

	list_for_each(parked, all, all)
		for (unsigned i = 0; i < parked->n; i++)
			parasite_hold(parked->remotes[i]);
}

void tcp_wake_parked(struct list *all)
{
	struct tcp_parked *parked;

	list_for_each(parked, all, all)
		for (unsigned i = 0; i < parked->n; i++)
			parasite_wake(parked->remotes[i]);
}
