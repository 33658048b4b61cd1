/* SPDX-License-Identifier: GPL-2.0-only */
/* How the input and output of a thread is scheduled, see ioprio_set(2). CRIU does not save it; ours is a field that it
 * skips. New tasks inherit that of criu. */
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fail.h"
#include "object/task/host.h"
#include "object/task/part.h"

/* linux/ioprio.h */
#define WHO_PROCESS 1
#define CLASS_SHIFT 13
#define CLASS_LAST  3 /* idle */

static int read_priority(pid_t tid, long *ret)
{
	*ret = host_read_io_priority(tid);
	return *ret < 0 ? fail_errno("asking for its I/O priority (ioprio_get)") : 0;
}

static int dump_io_priority(const struct dump *d, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;
	long priority;

	TRY(read_priority(thread->tid, &priority));
	record->has_io_priority = priority != 0;
	record->io_priority = (uint32_t)priority;
	return 0;
}

static int check_io_priority(const struct restore *r, struct thread *thread)
{
	if (thread->core->thread_core->io_priority >> CLASS_SHIFT > CLASS_LAST)
		return refuse(EINVAL, "the I/O priority is 0x%x: the image is damaged",
			      thread->core->thread_core->io_priority);
	return 0;
}

static int settle_io_priority(struct restore *r, struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;
	long now = task_host_of_restore(r)->io_priority;

	if (now < 0)
		TRY(read_priority(thread->tid, &now));
	if (now != (long)record->io_priority &&
	    syscall(__NR_ioprio_set, WHO_PROCESS, thread->tid, (int)record->io_priority) < 0)
		return fail_errno("setting the I/O priority to class %u, level %u (the real-time class takes "
				  "CAP_SYS_NICE)",
				  record->io_priority >> CLASS_SHIFT, record->io_priority & 7);
	return 0;
}

const struct task_part io_priority_part = {
	.name = "io-priority",
	.aside = dump_io_priority,
	.check = check_io_priority,
	.settle = settle_io_priority,
};
