/* SPDX-License-Identifier: GPL-2.0-only */
/* Looking ahead: the time in which a tree stands still is what its users feel. */
#include "flow/freeze/foresee.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/page.h"
#include "base/table.h"
#include "flow/dump/state.h"
#include "flow/tell.h"
#include "kern/proc/maps.h"
#include "kern/proc/running.h"
#include "lib/compel/parasite-call.h"

#define HEAP_AHEAD (512u << 10) /* bytes; a small tree takes less */
#define HEAP_KEPT  (64u << 20)

struct foresight {
	struct dump *d;
	struct tell *tell;	/* NULL: nobody is told */
	struct table *programs; /* by inode: those that were met */
};

/* Where the program has the code that lets us in: it may be far within a library. */
static void look_at_code(const struct foresight *foresight, pid_t pid, int proc)
{
	AUTO(mappings_done) struct mappings mappings = { 0 };
	struct stat program;

	if (fstatat(proc, "exe", &program, 0) < 0 || table_set(foresight->programs, program.st_ino, foresight->d))
		return;
	if (mappings_read_running(proc, MAPPINGS_PLAIN, &mappings) == 0)
		parasite_look_ahead(foresight->d->parasite_cache, pid, &mappings);
}

static bool look_at_task(void *arg, pid_t pid, int proc)
{
	const struct foresight *foresight = arg;

	look_at_code(foresight, pid, proc);
	if (foresight->tell)
		tell_look_at(foresight->tell, foresight->d->file_iter, pid, proc);
	return false;
}

/* Each page that is touched for the first time is a fault. What was given back is used again, not returned to the
 * kernel. */
static void touch_heap(void)
{
	const uintptr_t page = page_size();
	void *room;

	(void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
	(void)mallopt(M_MMAP_THRESHOLD, HEAP_AHEAD);
	room = malloc(HEAP_AHEAD - page);
	if (room)
		(void)madvise((void *)((uintptr_t)room & -page), HEAP_AHEAD, MADV_POPULATE_WRITE);
	free(room);
}

void foresee_tree(struct dump *d)
{
	struct foresight foresight = { .d = d, .programs = table_create() };

	if (d->options->tell_timeout)
		foresight.tell = flow_dump_of(d)->tell = tell_create();
	touch_heap(); /* first: what looks at programs takes from it, too */
	running_visit_tree(d->options->pid, d->task_iter, foresight.tell ? d->file_iter : NULL, look_at_task,
			   &foresight);
	table_destroy(&foresight.programs);
}
