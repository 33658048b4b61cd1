/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptor tables of tasks, restore: steps that fetch each file from the coordinator and place it at its number. */
#include "object/file/descriptors-restore.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/table.h"
#include "engine/engine.h"
#include "image/image.h"
#include "image/record.h"
#include "lib/compel/restorer.h"
#include "object/file/file-state.h"
#include "object/file/file-restore.h"
#include "object/file/locks.h"
#include "object/file/twins.h"
#include "object/file/tty/restore.h"
#include "plan/plan.h"
#include "session/survey.h"

#define FD_NUMBER_MAX	  (1u << 30)
#define SPARE_DESCRIPTORS 1024 /* for the coordinator itself, beside one for every file */
#define OWN_DESCRIPTORS	  256  /* what it has of these at least */

static int compare_numbers(const void *a, const void *b)
{
	const FdinfoEntry *left = *(FdinfoEntry *const *)a, *right = *(FdinfoEntry *const *)b;

	return left->fd < right->fd ? -1 : left->fd > right->fd;
}

static int check_entry(struct image *image, const struct descriptor_table *table, size_t i)
{
	const FdinfoEntry *entry = table->entries[i];

	if (entry->fd > FD_NUMBER_MAX)
		return image_refuse(image, "there cannot be a descriptor %u", entry->fd);
	if (i && entry->fd == table->entries[i - 1]->fd)
		return image_refuse(image, "descriptor %u is there twice", entry->fd);
	return 0;
}

static int read_table(const struct restore *r, struct descriptor_table *table)
{
	AUTO(image_close) struct image *image = NULL;
	VECTOR(FdinfoEntry *) entries = { 0 };
	FdinfoEntry *entry;
	int more = image_open(r->store, &image, IMAGE_FDINFO, table->files_id);

	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &entry)) > 0)
		*vector_push(&entries) = entry;
	table->n = entries.n;
	table->entries = pool_copy(r->pool, entries.items, entries.n * sizeof(*entries.items));
	vector_done(&entries);
	TRY(more);
	qsort(table->entries, table->n, sizeof(*table->entries), compare_numbers);
	for (size_t i = 0; i < table->n; i++)
		TRY(check_entry(image, table, i));
	return 0;
}

static int link_table(const struct restore *r, struct task *task, struct descriptor_table *table)
{
	table->files = pool_array(r->pool, struct file *, table->n + 1);
	for (size_t i = 0; i < table->n; i++) {
		LOG_SCOPE("descriptor %u", table->entries[i]->fd);
		TRY(file_use(r, table->entries[i]->id, &table->files[i]));
		table->files[i]->n_numbers++;
		if (!table->files[i]->owner) {
			table->files[i]->owner = task;
			table->files[i]->owner_fd = (int)table->entries[i]->fd;
			table->files[i]->owner_cloexec = table->entries[i]->flags & FD_CLOEXEC;
		}
	}
	return 0;
}

struct descriptor_table *file_table_of(const struct restore *r, const struct task *task)
{
	return task->ids ? table_find(file_set_of(r)->tables, task->ids->files_id) : NULL;
}

size_t file_count_descriptors(struct restore *r, const struct task *task)
{
	const struct descriptor_table *table = file_set_of(r) ? file_table_of(r, task) : NULL;

	return table ? table->n : 0;
}

/* The new tasks inherit the limit; their own are set at their end. */
static int raise_limit(const struct restore *r, uint32_t highest)
{
	struct rlimit limit;
	rlim_t wanted = file_set_of(r)->files.n + SPARE_DESCRIPTORS;

	if (wanted < highest + SPARE_DESCRIPTORS)
		wanted = highest + SPARE_DESCRIPTORS;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return fail_errno("reading the limit of open files");
	if (limit.rlim_cur >= wanted)
		return 0;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return 0;
	/* Without CAP_SYS_RESOURCE here we can only hope that the old limit is enough. */
	wanted -= SPARE_DESCRIPTORS - OWN_DESCRIPTORS;
	limit.rlim_max = fd_raise_limit();
	if (limit.rlim_max < wanted)
		log_warn("a restore may need %lu descriptors, and only %lu are allowed: give criu CAP_SYS_RESOURCE, "
			 "or a higher hard limit (ulimit -Hn)",
			 (unsigned long)wanted, (unsigned long)limit.rlim_max);
	return 0;
}

int file_load_tables(const struct restore *r)
{
	struct task *task;
	uint32_t highest = 0;

	for_each_task(task, r->tree) {
		struct descriptor_table *table;

		if (!task->ids || !task_is_live(task) || file_table_of(r, task))
			continue;
		LOG_SCOPE("task %d (%s)", task->vpid, task->comm);
		table = pool_new(r->pool, struct descriptor_table);
		table->files_id = task->ids->files_id;
		TRY(restore_go_on(r, read_table(r, table)));
		table_set(file_set_of(r)->tables, table->files_id, table);
		TRY(restore_go_on(r, link_table(r, task, table)));
		if (table->n && table->entries[table->n - 1]->fd > highest)
			highest = table->entries[table->n - 1]->fd;
	}
	return raise_limit(r, highest);
}

/* The place of a number in the table, or n if it is not there. */
static size_t find_place(const struct descriptor_table *table, uint32_t number)
{
	size_t low = 0, high = table ? table->n : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->entries[middle]->fd == number)
			return middle;
		if (table->entries[middle]->fd < number)
			low = middle + 1;
		else
			high = middle;
	}
	return table ? table->n : 0;
}

struct file *file_at_number(const struct restore *r, const struct task *task, uint32_t number)
{
	const struct descriptor_table *table = file_table_of(r, task);
	size_t place = find_place(table, number);

	return table && place < table->n ? table->files[place] : NULL;
}

void file_reserve_number(const struct restore *r, const struct task *task, uint32_t number)
{
	struct descriptor_table *table = file_table_of(r, task);

	if (table && table->reserved <= number)
		table->reserved = number + 1;
}

bool file_cloexec_at(struct restore *r, const struct task *task, uint32_t number)
{
	const struct descriptor_table *table = file_table_of(r, task);
	size_t place = find_place(table, number);

	return table && place < table->n && table->entries[place]->flags & FD_CLOEXEC;
}

/* The first free number from this one on. */
static uint32_t free_from(const struct descriptor_table *table, uint32_t number)
{
	if (table && table->reserved > number)
		number = table->reserved;
	for (size_t i = 0; table && i < table->n; i++) {
		if (table->entries[i]->fd > number)
			break;
		if (table->entries[i]->fd == number)
			number++;
	}
	return number;
}

static int free_everywhere(struct restore *r)
{
	uint32_t number = 3, last;
	struct task *task;

	do {
		last = number;
		for_each_task(task, r->tree)
			if (task_is_live(task))
				number = free_from(file_table_of(r, task), number);
	} while (number != last);
	return (int)number;
}

int file_restore_choose_numbers(struct restore *r)
{
	struct task *task;

	if (r->facts->inner_pids || r->facts->ids || r->facts->inner_users || r->tree->pid_spaces)
		r->us = free_everywhere(r);
	for_each_task(task, r->tree) {
		const struct task *sharer = task_is_live(task) ? task->restore->files_from : NULL;

		if (!task_is_live(task))
			continue;
		/* r->us is in all tables since the birth of the tasks. */
		task->restore->coordinator_fd = sharer	    ? sharer->restore->coordinator_fd
						: r->us > 0 ? r->us
							    : (int)free_from(file_table_of(r, task), 3);
	}
	return 0;
}

/* What came along from the creator is not wanted. */
static void plan_close_inherited(struct plan *p, int coordinator_fd)
{
	if (coordinator_fd > 0)
		plan_syscall(p, "close the descriptors of the creator", __NR_close_range, V(0), V(coordinator_fd - 1),
			     V(0));
	plan_syscall(p, "close the descriptors of the creator", __NR_close_range, V(coordinator_fd + 1), V(UINT_MAX),
		     V(0));
}

static int plan_descriptor(struct restore *r, struct task *task, struct file *f, const FdinfoEntry *entry,
			   const struct file_maker *maker, struct plan *p)
{
	int flags = entry->flags & FD_CLOEXEC ? O_CLOEXEC : 0;
	int fd, made;

	if (f->made_there)
		return 0; /* with its twin */
	made = file_plan_twins(r, task, f, maker, p);
	if (made)
		return made;
	if (f->placed_in == task) {
		struct step *step =
			plan_syscall(p, "duplicate a descriptor", __NR_dup3, V(f->placed_at), V(entry->fd), V(flags));
		step->flags |= STEP_EXACT;
		step->arg[6] = entry->fd;
		return 0;
	}
	TRY(file_get_fd(r, f, &fd));
	plan_step(p, plan_why(p, "fetch descriptor %u (%s)", entry->fd, f->kind->name), STEP_GETFD,
		  (const struct plan_arg[]){ V(task->restore->coordinator_fd), V(fd), V(entry->fd), V(flags) }, 4);
	f->placed_in = task;
	f->placed_at = (int)entry->fd;
	return 0;
}

static int make_early(struct restore *r)
{
	struct file_set *files = file_set_of(r);
	int fd;

	if (files->early_made)
		return 0;
	files->early_made = true;
	for (size_t i = 0; i < files->files.n; i++)
		if (files->files.items[i]->kind->early)
			TRY(file_get_fd(r, files->files.items[i], &fd));
	return 0;
}

int file_plan_table(struct restore *r, struct task *task, struct plan *p)
{
	struct descriptor_table *table = file_table_of(r, task);
	struct file_maker maker;

	TRY(make_early(r));
	if (task->restore->files_from)
		return 0;
	plan_close_inherited(p, task->restore->coordinator_fd);
	file_maker_ask(r, &maker);
	for (size_t i = 0; table && i < table->n; i++) {
		LOG_SCOPE("descriptor %u", table->entries[i]->fd);
		TRY(plan_descriptor(r, task, table->files[i], table->entries[i], &maker, p));
	}
	return 0;
}

void file_table_done(struct restore *r, struct task *task)
{
	struct descriptor_table *table = file_table_of(r, task);

	if (!table || table->done || task->restore->files_from)
		return;
	table->done = true;
	for (size_t i = 0; i < table->n; i++)
		file_put(r, table->files[i]);
}

static int remake_file(struct restore *r, struct file *f)
{
	AUTO_CLOSE int fd = -1;
	int placeholder, result;

	if (f->remake_asked)
		return 0;
	f->remake_asked = true;
	result = f->kind->remake(r, f, &fd);
	if (result == -ENOENT)
		return 0;
	TRY(result);
	TRY(file_get_fd(r, f, &placeholder));
	if (dup3(fd, placeholder, O_CLOEXEC) < 0)
		return fail_errno("putting it in place");
	f->remade = true;
	return 0;
}

int file_get_late_fd(struct restore *r, struct file *f, int *ret_fd)
{
	if (f->kind->remake)
		TRY(remake_file(r, f));
	return file_get_fd(r, f, ret_fd);
}

/* What only held its place in the table is exchanged at all its numbers, before anything refers to it. */
static int plan_remade(struct restore *r, struct task *task, struct descriptor_table *table, struct plan *p)
{
	for (size_t i = 0; i < table->n; i++) {
		struct file *f = table->files[i];
		const FdinfoEntry *entry = table->entries[i];

		if (!f->kind->remake)
			continue;
		LOG_SCOPE("file %u (%s)", f->id, f->kind->name);
		TRY(remake_file(r, f));
		if (f->remade)
			plan_step(p, plan_why(p, "fetch descriptor %u (%s) again", entry->fd, f->kind->name),
				  STEP_GETFD,
				  (const struct plan_arg[]){ V(task->restore->coordinator_fd), V(f->fd), V(entry->fd),
							     V(entry->flags & FD_CLOEXEC ? O_CLOEXEC : 0) },
				  4);
	}
	return 0;
}

int file_plan_late(struct restore *r, struct task *task, struct plan *p)
{
	struct descriptor_table *table = file_table_of(r, task);

	if (table && !task->restore->files_from)
		TRY(plan_remade(r, task, table, p));
	for (size_t i = 0; table && i < table->n; i++) {
		struct file *f = table->files[i];

		if (f->owner != task || f->owner_fd != (int)table->entries[i]->fd || !f->kind->plan)
			continue;
		LOG_SCOPE("file %u (%s)", f->id, f->kind->name);
		TRY(phase_pass_restore(r, PHASE_restore_plan, "file", f->kind->name));
		TRY(f->kind->plan(r, f, p));
	}
	TRY(tty_plan_task(r, task, p));
	return locks_plan(r, task, false, p);
}

void file_plan_fetch(struct restore *r, struct plan *p, int fd, unsigned slot)
{
	restorer_plan_find_us(p, r->us, slot + 1);
	plan_syscall(p, "fetch a descriptor of criu", __NR_pidfd_getfd, S(slot + 1), V(fd), V(0))->to_slot =
		(uint8_t)slot;
	plan_syscall(p, "close the pidfd of criu", __NR_close, S(slot + 1));
}
