/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump: work that needs no more than a copy of the descriptor is put off and done by all workers, a bunch at a time. */
#include "object/file/later.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/workers.h"
#include "object/file/file-state.h"
#include "object/file/file-dump.h"

#define BUNCH 256 /* enough to be worth waking the workers; so many copies are open at a time */

int file_dump_later(const struct dump *d, const struct open_file *of, int (*run)(int fd, void *arg, struct pool *pool),
		    void *arg)
{
	int copy = fcntl(of->fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return fail_errno("duplicating a descriptor");
	*vector_push(&file_dump_of(d)->later) = (struct file_later){ copy, of->task->pid, of->task_fd, run, arg };
	return file_dump_of(d)->later.n < BUNCH ? 0 : file_run_later(d);
}

static int run_one(void *arg, size_t item, unsigned worker)
{
	struct file_dump *files = arg;
	const struct file_later *later = &files->later.items[item];

	LOG_SCOPE("task %d: descriptor %d", later->pid, later->task_fd);
	return later->run(later->fd, later->arg, files->later_pools.items[worker]);
}

static void forget_all(struct file_dump *files)
{
	for (size_t i = 0; i < files->later.n; i++)
		close(files->later.items[i].fd);
	files->later.n = 0;
}

int file_run_later(const struct dump *d)
{
	struct file_dump *files = file_dump_of(d);
	int result;

	if (!files->later.n)
		return 0;
	while (files->later_pools.n < workers_count(d->workers))
		*vector_push(&files->later_pools) = pool_create();
	result = workers_run(d->workers, files->later.n, run_one, files);
	forget_all(files);
	return result;
}

void file_later_done(struct file_dump *files)
{
	forget_all(files);
	vector_done(&files->later);
	for (size_t i = 0; i < files->later_pools.n; i++)
		pool_destroy(&files->later_pools.items[i]);
	vector_done(&files->later_pools);
}
