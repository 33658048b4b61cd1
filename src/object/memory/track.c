/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who wrote to which pages since the last dump? A tracker (kern/track.h) is made by the task itself and stays in its
 * descriptor table until the next dump, as nothing else lives as long and goes away with the task. The images name its
 * inode: they are the base of what it says. Whatever happens to it, it is told apart from "not written": a closed
 * tracker watches nothing, and so all is saved.
 */
#include "object/memory/track.h"

#include "base/table.h"
#include "image/pipe/store-pipe.h"
#include "image/record.h"
#include "image/store.h"
#include "kern/track.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "image/inventory.h"
#include "kern/kcmp.h"
#include "kern/pidfd.h"
#include "kern/probe.h"
#include "kern/proc/fdinfo.h"
#include "object/memory/aio/aio.h"
#include "object/memory/compare.h"
#include "object/memory/content.h"
#include "object/memory/memory-state.h"
#include "object/memory/memory.h"
#include "object/memory/uring/uring-wait.h"
#include "plan/plan.h"
#include "session/thread-run.h"
#include "session/trackers.h"
#include "session/pids.h"

#define SLOT_FD	    1
#define NUMBER	    1000	 /* of its descriptor: above those of nearly all programs, below FD_SETSIZE */
#define SEVERAL	    (1ull << 32) /* beside the id of an address space: it has several tasks */
#define WATCH_FLAGS (VMF(UM) | VMF(UW) | VMF(UI))

/* --- what the parent images know --- */

static char *read_boot_id(struct pool *pool)
{
	char text[64];

	if (file_read_text(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof(text)) < 0)
		return NULL;
	return pool_string(pool, text);
}

/* A pre-dump through a stream has left all but its pages here. */
static int look_for_pages(struct memory_dump *memory)
{
	AUTO(image_close) struct image *image = NULL;
	int result = image_open(memory->parent, &image, IMAGE_PAGES, 1);

	memory->parent_elsewhere = result == -ENOENT;
	return result == -ENOENT ? 0 : result;
}

static int read_parent(struct dump *d)
{
	struct memory_dump *memory = memory_dump_state(d);
	InventoryEntry *inventory;
	int result;

	TRY(store_set_parent(dump_store(d), d->options->prev_images_dir, &memory->parent));
	if (store_is_pipe(dump_store(d)))
		TRY(look_for_pages(memory));
	result = image_read_one(memory->parent, IMAGE_INVENTORY, &inventory);
	if (result == -ENOENT) {
		log_warn("the parent images have no inventory: all memory is saved again");
		return 0;
	}
	TRY(result);
	if (inventory->tracked_boot && d->inventory->tracked_boot &&
	    !strcmp(inventory->tracked_boot, d->inventory->tracked_boot)) {
		memory->base = inventory->tracked;
		memory->n_base = inventory->n_tracked;
	}
	return 0;
}

int memory_track_begin(struct dump *d)
{
	struct memory_dump *memory = memory_dump_state(d);
	struct probes probes = { 0 };
	bool wanted = d->options->track_mem || d->options->command == CMD_PRE_DUMP;

	if (wanted || d->options->prev_images_dir) {
		int found = probe_result(&probes, FEATURE_ID_mem_dirty_track);

		memory->tracking = found > 0 ? (enum tracking)found : TRACKING_NONE;
	}
	if (wanted && memory->tracking == TRACKING_NONE)
		log_warn("This kernel cannot tell which pages are written to (it has neither soft-dirty bits nor "
			 "UFFD_FEATURE_WP_ASYNC of Linux 6.7): each dump saves all private memory");
	d->inventory->tracked_boot = read_boot_id(d->pool);
	return d->options->prev_images_dir ? read_parent(d) : 0;
}

static bool is_base(const struct memory_dump *memory, const struct task *task, uint64_t inode)
{
	for (size_t i = 0; i < memory->n_base; i++)
		if (memory->base[i]->pid == (uint32_t)task->vpid && memory->base[i]->inode == inode)
			return true;
	return false;
}

/* --- finding the tracker of the last dump --- */

/* Trackers in its table, and whether there are userfaultfds of the program. Descriptors may come and go if it runs. */
static int list_trackers(struct task *task, bool *ret_others)
{
	AUTO(fdinfo_done) struct fdinfo info = { .dir = -1 };
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(task->dump->proc, "fd", &numbers);
	char path[32], link[64];
	uint64_t flags;

	*ret_others = false;
	if (n < 0)
		return fail(-n, "listing its descriptors");
	TRY(fdinfo_open(&info, task->dump->proc));
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "fd/%d", numbers[i]);
		if (file_readlink(task->dump->proc, path, link, sizeof(link)) < 0 ||
		    strcmp(link, "anon_inode:[userfaultfd]") != 0)
			continue;
		TRY(fdinfo_read(&info, numbers[i]));
		TRY(fdinfo_get_u64(&info, "flags", 8, &flags));
		if (tracker_is_one(flags, fdinfo_get(&info, "API")))
			task_note_tracker(task, numbers[i]);
		else
			*ret_others = true;
	}
	return 0;
}

/* A child has a copy of its parent's in its table: only that of its owner is for its memory. -ENOENT: not in this
 * table. */
static int take_tracker(const struct task *table, const struct task *owner)
{
	for (unsigned i = 0; i < table->dump->n_trackers; i++) {
		AUTO_CLOSE int fd = pidfd_take_fd(table->dump->pidfd, table->dump->trackers[i]);

		if (fd >= 0 && fcntl(fd, F_GETOWN) == owner->pid)
			return TAKE_FD(fd);
	}
	return -ENOENT;
}

/* Our copy of what tracks a task. It may have closed its own, and yet be watched because of a copy that a child has.
 * -ENOENT: there is none. */
static int open_tracker(const struct dump *d, struct task *task)
{
	struct task *other;
	bool others;
	int fd;

	TRY(list_trackers(task, &others));
	fd = take_tracker(task, task);
	if (fd >= 0)
		return fd;
	for_each_task(other, d->tree) {
		if (other == task || !task_is_live(other) || other->dump->unstopped)
			continue;
		TRY(list_trackers(other, &others));
		fd = take_tracker(other, task);
		if (fd < 0 && kcmp_compare(KCMP_VM, other->pid, 0, task->pid, 0) == 0)
			fd = take_tracker(other, other);
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

/* A mapping that the tracker watches already may be watched again; one that another userfaultfd watches may not. */
static void mark_mappings(struct task *task, int tracker)
{
	struct mappings *mappings = &task->dump->mappings;

	for (size_t i = 0; i < mappings->n; i++) {
		struct mapping *m = &mappings->items[i];

		if ((m->vm_flags & WATCH_FLAGS) != VMF(UW) || tracker_watch(tracker, m->start, m->end) < 0)
			continue;
		m->tracked = true;
		m->vm_flags &= ~VMF(UW);
	}
}

static bool is_watched(const struct task *task)
{
	for (size_t i = 0; i < task->dump->mappings.n; i++)
		if (task->dump->mappings.items[i].vm_flags & WATCH_FLAGS)
			return true;
	return false;
}

/* Whoever dumps it closes the tracker: if it is there, nobody of us has cleared the soft-dirty bits since. */
static bool has_soft_dirty_base(const struct dump *d, struct task *task)
{
	const struct memory_dump *memory = memory_dump_state(d);

	for (size_t i = 0; memory->tracking == TRACKING_SOFT_DIRTY && i < memory->n_base; i++)
		if (memory->base[i]->pid == (uint32_t)task->vpid)
			return true;
	return false;
}

/* The top page of the stack: there the environment is, which programs hardly ever write to. 0: it has no stack. */
static uint64_t find_stack_top(const struct task *task)
{
	for (size_t i = 0; i < task->dump->mappings.n; i++) {
		const struct mapping *m = &task->dump->mappings.items[i];

		if (m->name && !strcmp(m->name, "[stack]"))
			return m->end - page_size();
	}
	return 0;
}

static void close_tracker(void *state)
{
	auto_close(&((struct task_tracking *)state)->old);
}

struct task_tracking *task_tracking_of(const struct task *task)
{
	static const struct state_type type = { sizeof(struct task_tracking), close_tracker };
	struct task_tracking *tracking = state_find(&task->dump->states, &type);

	if (!tracking) {
		tracking = state_make(&task->dump->states, &type);
		tracking->old = -1;
		tracking->number = -EBADF;
	}
	return tracking;
}

/* That page was written to after the bits were cleared: is it still soft-dirty, or has somebody else cleared them? */
static int are_bits_ours(const struct task *task, bool *ret)
{
	uint64_t top = find_stack_top(task), word = 0;
	struct page_tables tables;
	int result;

	TRY(pagemap_open(&tables, task->dump->proc));
	result = top ? pagemap_read_words(&tables, top, 1, &word) : 0;
	pagemap_close(&tables);
	*ret = word & PAGEMAP_SOFT_DIRTY;
	return result;
}

static int find_soft_dirty_base(const struct dump *d, struct task *task)
{
	AUTO_CLOSE int fd = -1;
	struct stat stat;
	bool others, ours;

	TRY(list_trackers(task, &others));
	fd = take_tracker(task, task);
	if (fd < 0)
		return 0;
	if (fstat(fd, &stat) < 0)
		return fail_errno("fstat of its tracker");
	if (!is_base(memory_dump_state(d), task, stat.st_ino))
		return 0;
	TRY(are_bits_ours(task, &ours));
	if (!ours)
		log_warn(
			"Somebody else has cleared its soft-dirty bits since the last dump: its memory is saved whole");
	task_tracking_of(task)->soft_dirty = task_tracking_of(task)->unwritten_known = ours;
	return 0;
}

int memory_track_find(const struct dump *d, struct task *task)
{
	AUTO_CLOSE int fd = -1;
	struct stat stat;

	if (!is_watched(task))
		return has_soft_dirty_base(d, task) ? find_soft_dirty_base(d, task) : 0;
	fd = open_tracker(d, task);
	if (fd == -ENOENT)
		return 0;
	TRY(fd);
	mark_mappings(task, fd);
	if (fstat(fd, &stat) < 0)
		return fail_errno("fstat of its tracker");
	task_tracking_of(task)->unwritten_known = is_base(memory_dump_state(d), task, stat.st_ino);
	return 0;
}

/* --- a new one, at the end of a dump --- */

bool memory_is_trackable(const struct mapping *m)
{
	const uint64_t never = WATCH_FLAGS | VMF(HT) | VMF(IO) | VMF(PF) | VMF(MM) | VMF(DP) | VMF(SS) | VMF(GU);

	return !m->shared && !m->inode && !m->dev && !(m->vm_flags & never) &&
	       (!m->name || !strcmp(m->name, "[heap]") || text_starts(m->name, "[stack") ||
		text_starts(m->name, "[anon:"));
}

/* Which address spaces have several tasks is found out once. */
static int shares_memory(struct dump *d, struct task *task, bool *ret)
{
	struct memory_dump *memory = memory_dump_state(d);
	struct task *other;
	bool is_new;
	uint32_t id;

	if (!memory->shared_by) {
		memory->shared_by = table_create();
		for_each_task(other, d->tree) {
			if (!task_is_live(other))
				continue;
			TRY(kcmp_id(d->kcmp_vm, other->pid, 0, other->dump->hints.memory, &id, &is_new));
			if (table_set(memory->shared_by, id, other))
				table_set(memory->shared_by, id | SEVERAL, other);
		}
	}
	TRY(kcmp_id(d->kcmp_vm, task->pid, 0, task->dump->hints.memory, &id, &is_new));
	*ret = table_find(memory->shared_by, id | SEVERAL);
	return 0;
}

/* Memory that is written to by others than the program, or watched by somebody else, is saved whole each time. */
static int can_track(struct dump *d, struct task *task, bool *ret)
{
	bool others;

	*ret = false;
	if (memory_dump_state(d)->tracking == TRACKING_NONE)
		return 0;
	TRY(list_trackers(task, &others));
	if (others || is_watched(task)) {
		log_info("It uses a userfaultfd: its memory cannot be tracked");
		return 0;
	}
	for (size_t i = 0; i < task->dump->mappings.n; i++)
		if (aio_is_ring(&task->dump->mappings.items[i])) {
			log_info("It uses asynchronous I/O, which writes to memory behind its back: its memory is not "
				 "tracked");
			return 0;
		}
	if (uring_may_write(d, task)) {
		log_info("It has registered buffers with an io_uring, which writes to memory behind its back: its "
			 "memory "
			 "is not tracked");
		return 0;
	}
	TRY(shares_memory(d, task, &others));
	if (others)
		log_info("Another task shares its memory: it is not tracked");
	*ret = !others;
	return 0;
}

static uint64_t choose_number(const struct task *task)
{
	struct rlimit limit;

	if (prlimit(task->pid, RLIMIT_NOFILE, NULL, &limit) < 0 || limit.rlim_cur > NUMBER + 16)
		return NUMBER;
	return limit.rlim_cur > 32 ? limit.rlim_cur - 16 : limit.rlim_cur / 2;
}

static struct step *plan_try(struct step *step)
{
	step->flags |= STEP_MAY_FAIL;
	return step;
}

/* Steps of which each may fail: then there is no tracker. */
static size_t plan_tracker(const struct task *task, struct plan *plan)
{
	size_t at;
	struct step *step = plan_try(plan_syscall(plan, "make a tracker", __NR_userfaultfd,
						  V(O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY)));

	step->to_slot = SLOT_FD;
	plan_try(plan_syscall(plan, "mark it", __NR_fcntl, S(SLOT_FD), V(F_SETFL), V(TRACKER_MARK | O_NONBLOCK)));
	plan_try(plan_syscall(plan, "name its owner", __NR_fcntl, S(SLOT_FD), V(F_SETOWN), V(task_own_pid(task))));
	step = plan_try(plan_syscall(plan, "move it out of the way", __NR_fcntl, S(SLOT_FD), V(F_DUPFD_CLOEXEC),
				     V((int64_t)choose_number(task))));
	at = plan_keep_result(plan, step);
	plan_try(plan_syscall(plan, "close its first number", __NR_close, S(SLOT_FD)));
	return at;
}

struct tracker_answer {
	size_t at;
	int64_t number;
};

static int read_answer(struct remote *remote, void *arg)
{
	struct tracker_answer *answer = arg;

	if (answer->at)
		answer->number = remote_value(remote, answer->at);
	return 0;
}

/* In the task: the old ones are closed, and perhaps a new one is made. */
static int exchange_tracker(struct dump *d, struct task *task, bool on, int64_t *ret_number)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	struct tracker_answer answer = { .number = -EBADF };

	for (unsigned i = 0; i < task->dump->n_trackers; i++)
		plan_try(plan_syscall(plan, "close the old tracker", __NR_close, V(task->dump->trackers[i])));
	task->dump->n_trackers = 0;
	if (on)
		answer.at = plan_tracker(task, plan);
	TRY(thread_run_plan(d, task->leader, plan, read_answer, &answer));
	*ret_number = answer.number;
	return 0;
}

/*
 * What cannot be watched is saved whole each time. kept: this tracker has watched the tracked mappings all the time, so
 * all that has no mark was written to, and nothing is to be forgotten: clearing all marks, twice, and making them anew
 * takes as long as 70 ms for a GiB, marking what was written to 2 ms.
 */
static int watch_mapping(int fd, const struct page_tables *tables, const struct mapping *m, bool kept)
{
	if (kept && m->tracked)
		return tracker_mark(tables, m->start, m->end);
	TRY(tracker_watch(fd, m->start, m->end));
	return tracker_protect(fd, tables, m->start, m->end);
}

static int watch_all(const struct task *task, int fd, bool kept)
{
	const bool compares_small = memory_compares_small(task);
	struct page_tables tables;

	TRY(pagemap_open(&tables, task->dump->proc));
	for (size_t i = 0; i < task->dump->mappings.n; i++) {
		const struct mapping *m = &task->dump->mappings.items[i];
		int result;

		if (!memory_is_watchable(m, compares_small))
			continue;
		result = watch_mapping(fd, &tables, m, kept);
		if (result < 0)
			log_info("Mapping %" PRIx64 "-%" PRIx64 " cannot be tracked: %s", m->start, m->end,
				 strerror(-result));
	}
	pagemap_close(&tables);
	return 0;
}

static void add_base(struct dump *d, const struct task *task, uint64_t inode)
{
	struct inventory *inventory = d->inventory;
	TrackedEntry *entry = pool_new(d->pool, TrackedEntry);
	TrackedEntry **all = pool_array(d->pool, TrackedEntry *, inventory->n_tracked + 1);

	tracked_entry__init(entry);
	entry->pid = (uint32_t)task->vpid;
	entry->inode = inode;
	if (inventory->n_tracked)
		memcpy(all, inventory->tracked, inventory->n_tracked * sizeof(*all));
	all[inventory->n_tracked++] = entry;
	inventory->tracked = all;
}

static int clear_soft_dirty(const struct task *task)
{
	AUTO_CLOSE int mem = openat(task->dump->proc, "mem", O_RDWR | O_CLOEXEC);
	const off_t top = (off_t)find_stack_top(task);
	int result = tracker_clear(task->dump->proc);
	char byte;

	if (result < 0)
		return fail(-result, "clearing its soft-dirty bits");
	/* Nothing changes but the bit of this page: are_bits_ours(). */
	if (top && (mem < 0 || pread(mem, &byte, 1, top) != 1 || pwrite(mem, &byte, 1, top) != 1))
		return fail_errno("writing to its stack");
	return 0;
}

static int start_tracker(struct dump *d, struct task *task, int number)
{
	AUTO_CLOSE int fd = pidfd_take_fd(task->dump->pidfd, number);
	struct stat stat;

	enum tracking how = memory_dump_state(d)->tracking;

	if (fd < 0 || fstat(fd, &stat) < 0 || tracker_start(fd, how) < 0)
		return fail(fd < 0 ? -fd : errno, "taking its tracker");
	TRY(how == TRACKING_SOFT_DIRTY ? clear_soft_dirty(task) : watch_all(task, fd, false));
	add_base(d, task, stat.st_ino);
	return 0;
}

/* What the parent images say of it must be true, and the task itself must have it. */
static bool can_keep(const struct dump *d, const struct task *task, bool on)
{
	const struct task_tracking *tracking = task_tracking_of(task);
	AUTO_CLOSE int own = -1;

	if (!on || !d->options->keep_tracker || tracking->old < 0 || !tracking->unwritten_known ||
	    tracking->soft_dirty || task->dump->n_trackers != 1)
		return false;
	own = take_tracker(task, task);
	return own >= 0;
}

/* The old one goes on as long as we have our copy. */
int memory_track_prepare(struct dump *d, struct task *task, bool on)
{
	struct task_tracking *tracking = task_tracking_of(task);

	tracking->prepared = true;
	if (on)
		TRY(can_track(d, task, &on));
	for (size_t i = 0; i < task->dump->mappings.n && tracking->old < 0; i++)
		if (task->dump->mappings.items[i].tracked) {
			tracking->old = open_tracker(d, task);
			TRY(tracking->old);
		}
	tracking->kept = can_keep(d, task, on);
	if (tracking->kept || (!on && !task->dump->n_trackers))
		return 0;
	TRY(exchange_tracker(d, task, on, &tracking->number));
	if (on && tracking->number < 0)
		log_info("Its memory cannot be tracked: %s", strerror((int)-tracking->number));
	return 0;
}

/* Closing the old one would not be enough, as children may have copies. */
static int end_watch(const struct task *task, int old)
{
	for (size_t i = 0; i < task->dump->mappings.n; i++) {
		const struct mapping *m = &task->dump->mappings.items[i];

		if (m->tracked && tracker_leave(old, m->start, m->end) < 0)
			return fail_errno("ending the watch of mapping %" PRIx64 "-%" PRIx64, m->start, m->end);
	}
	return 0;
}

static int go_on_tracking(struct dump *d, const struct task *task, int fd)
{
	struct stat stat;

	if (fstat(fd, &stat) < 0)
		return fail_errno("fstat of its tracker");
	TRY(watch_all(task, fd, true));
	add_base(d, task, stat.st_ino);
	return 0;
}

int memory_track_renew(struct dump *d, struct task *task)
{
	struct task_tracking *tracking = task_tracking_of(task);
	int64_t none;

	if (!tracking->prepared)
		return 0;
	if (tracking->kept)
		return go_on_tracking(d, task, tracking->old);
	if (tracking->old >= 0)
		TRY(end_watch(task, tracking->old));
	if (tracking->number >= 0)
		return start_tracker(d, task, (int)tracking->number);
	/* Copies of others' that were found since. */
	return task->dump->n_trackers ? exchange_tracker(d, task, false, &none) : 0;
}
