/* SPDX-License-Identifier: GPL-2.0-only */
/* Sweeping up after a criu that was killed: threads come home by themselves, but the memory stays until somebody takes
 * it away. */
#include "flow/dump/leftovers.h"

#include <string.h>
#include <sys/mman.h>

#include "base/fail.h"
#include "base/log.h"
#include "lib/compel/leftover.h"

static bool is_leftover(const struct task *task, const struct mapping *m)
{
	/* Without privileges the memory is a memfd without a name: lib/compel/parasite.c. */
	return m->shared && (m->prot & ~PROT_WRITE) == (PROT_READ | PROT_EXEC) && m->deleted && m->name &&
	       (strcmp(m->name, "/dev/zero") == 0 || strcmp(m->name, "/memfd:") == 0) &&
	       parasite_is_leftover(task->pid, m->start);
}

/* Where nothing may be both, only the first page can be executed, and only what follows can be written. */
static bool is_rest(const struct mapping *code, const struct mapping *m)
{
	return !(code->prot & PROT_WRITE) && m->start == code->end && m->shared &&
	       m->prot == (PROT_READ | PROT_WRITE) && m->dev == code->dev && m->inode == code->inode;
}

/* Tasks may share an address space, so it is looked for threads of all. */
static int see_threads_home(struct dump *d, const struct mapping *m)
{
	struct task *task;
	struct thread *thread;

	for_each_task(task, d->tree) {
		if (!task_is_live(task) || !parasite_is_leftover(task->pid, m->start))
			continue;
		for_each_thread(thread, task)
			TRY(parasite_run_out(thread->tid, m->start, m->end, &d->progress->deadline));
	}
	return 0;
}

int leftovers_find(struct dump *d, struct task *task)
{
	struct mappings *mappings = &task->dump->mappings;
	struct task_dump *dump = task->dump;
	size_t kept = 0;

	for (size_t i = 0; i < mappings->n; i++) {
		struct mapping m = mappings->items[i];

		if (!is_leftover(task, &m)) {
			mappings->items[kept++] = m;
			continue;
		}
		if (i + 1 < mappings->n && is_rest(&m, &mappings->items[i + 1]))
			m.end = mappings->items[++i].end;
		log_info("A criu that was killed has left its memory at %lx: it is removed", (unsigned long)m.start);
		if (!dump->leftovers)
			dump->leftovers = pool_array(d->pool, struct mapping, mappings->n - i);
		dump->leftovers[dump->n_leftovers++] = m;
	}
	mappings->n = kept;
	for (size_t i = 0; i < dump->n_leftovers; i++)
		TRY(see_threads_home(d, &dump->leftovers[i]));
	return 0;
}

int leftovers_unmap(struct task *task, const struct parasite_process *process)
{
	for (size_t i = 0; i < task->dump->n_leftovers; i++) {
		const struct mapping *m = &task->dump->leftovers[i];

		/* A task that shares the address space may have been first. */
		if (parasite_is_leftover(task->pid, m->start))
			TRY(parasite_unmap(process, m->start, m->end - m->start));
	}
	return 0;
}
