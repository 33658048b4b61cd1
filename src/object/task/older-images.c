/* SPDX-License-Identifier: GPL-2.0-only */
/* Older versions of CRIU kept parts of a process in images of their own: they are put where they stand today, before
 * anybody looks. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/vector.h"
#include "image/image.h"
#include "image/record.h"
#include "object/task/part.h"

/* All records of an image, or none if it is missing. */
static int read_all(const struct restore *r, enum image_id id, pid_t number, size_t *ret_n, void *ret_records)
{
	AUTO(image_close) struct image *image = NULL;
	VECTOR(void *) records = { 0 };
	int more = image_open(r->store, &image, id, (uint64_t)number);
	void *record, **copy;

	*ret_n = 0;
	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &record)) > 0)
		*vector_push(&records) = record;
	copy = pool_copy(r->pool, records.items, records.n * sizeof(void *));
	*ret_n = records.n;
	memcpy(ret_records, &copy, sizeof(copy));
	vector_done(&records);
	return more;
}

static int read_signals(const struct restore *r, enum image_id id, pid_t number, SignalQueueEntry **ret)
{
	SignalQueueEntry *queue = pool_new(r->pool, SignalQueueEntry);

	signal_queue_entry__init(queue);
	TRY(read_all(r, id, number, &queue->n_signals, &queue->signals));
	*ret = queue;
	return 0;
}

static int check_wanted(const struct restore *r, const char *what)
{
	if (r->options->deprecated)
		return 0;
	return refuse(EINVAL, "the %s of the task were saved by a very old CRIU: restore with --deprecated", what);
}

static int read_timers(const struct restore *r, pid_t pid, TaskTimersEntry **ret)
{
	TaskTimersEntry *timers = pool_new(r->pool, TaskTimersEntry);
	ItimerEntry **itimers;
	size_t n;

	task_timers_entry__init(timers);
	TRY(read_all(r, IMAGE_ITIMERS, pid, &n, &itimers));
	if (!n)
		return 0;
	TRY(check_wanted(r, "timers"));
	if (n != 3)
		return refuse(EINVAL, "itimers-%d.img has %zu records, not 3: the image is damaged", pid, n);
	timers->real = itimers[0];
	timers->virt = itimers[1];
	timers->prof = itimers[2];
	TRY(read_all(r, IMAGE_POSIX_TIMERS, pid, &timers->n_posix, &timers->posix));
	*ret = timers;
	return 0;
}

static int read_limits(const struct restore *r, pid_t pid, TaskRlimitsEntry **ret)
{
	TaskRlimitsEntry *limits = pool_new(r->pool, TaskRlimitsEntry);

	task_rlimits_entry__init(limits);
	TRY(read_all(r, IMAGE_RLIMIT, pid, &limits->n_rlimits, &limits->rlimits));
	if (!limits->n_rlimits)
		return 0;
	*ret = limits;
	return check_wanted(r, "limits");
}

static int check_process(const struct restore *r, struct task *task)
{
	TaskCoreEntry *tc = task->leader->core->tc;

	if (!tc->n_sigactions)
		TRY(read_all(r, IMAGE_SIGACT, task->vpid, &tc->n_sigactions, &tc->sigactions));
	if (!tc->signals_s)
		TRY(read_signals(r, IMAGE_SIGNAL_SHARED, task->vpid, &tc->signals_s));
	if (!tc->timers)
		TRY(read_timers(r, task->vpid, &tc->timers));
	if (!tc->rlimits)
		TRY(read_limits(r, task->vpid, &tc->rlimits));
	return 0;
}

static int check_older_images(const struct restore *r, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	struct task *task = thread->task;

	if (thread == task->leader)
		TRY(check_process(r, task));
	if (!record->signals_p)
		TRY(read_signals(r, IMAGE_SIGNAL_PRIVATE, thread->vtid, &record->signals_p));
	if (!record->creds) {
		int error = image_read_one(r->store, IMAGE_CREDS, &record->creds, (uint64_t)task->vpid);

		return error == -ENOENT ? 0 : error;
	}
	return 0;
}

const struct task_part older_images_part = {
	.name = "older-images",
	.check = check_older_images,
};
