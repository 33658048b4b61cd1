/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * userfaultfd(2): page faults of one address space are read from a file. Which areas it watches shows only in their
 * flags, so there may be one such file for an address space, and one address space. What a thread waits for comes anew
 * when it runs on.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/vector.h"
#include "kern/pidfd.h"
#include "kern/proc/pagemap.h"
#include "lib/compel/remote.h"
#include "object/file/file.h"
#include "plan/plan.h"

const struct file_kind userfaultfd_kind;

#define INITIALIZED (1u << 31) /* shown among the features (fs/userfaultfd.c) */
#define WORDS	    512
#define REGIONS	    512

#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13) /* Linux 6.4 */
#endif

/* --- dump --- */

struct uffd_dump {
	UserfaultfdEntry *record; /* of the last one */
	unsigned n;
	const struct task *watched;
};

static const struct state_type uffd_dump_state = { sizeof(struct uffd_dump), NULL };

static struct uffd_dump *get_dump(const struct dump *d)
{
	return state_get(d->states, &uffd_dump_state);
}

/* "API:	aa:80000001:80000000000001ff" */
static int read_features(const struct open_file *of, UserfaultfdEntry *record)
{
	const char *value = fdinfo_get(of->fdinfo, "API"), *second = value ? strchr(value, ':') : NULL;
	unsigned long long features;

	if (!second)
		return refuse(EINVAL, "fdinfo of a userfaultfd cannot be understood");
	features = strtoull(second + 1, NULL, 16);
	record->has_features = features & INITIALIZED;
	record->features = features & ~(unsigned long long)INITIALIZED;
	if (record->features & UFFD_FEATURE_WP_UNPOPULATED)
		return refuse(
			EOPNOTSUPP,
			"it protects memory that is not there yet (UFFD_FEATURE_WP_UNPOPULATED): that cannot be saved");
	return 0;
}

static int dump_userfaultfd(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	struct uffd_dump *dump = get_dump(d);
	UserfaultfdEntry *record = out->uffd;

	record->id = of->id;
	record->flags = of->flags;
	record->fown = of->owner;
	record->pid = of->task->vpid;
	TRY(read_features(of, record));
	dump->record = record;
	dump->n++;
	return 0;
}

typedef VECTOR(UserfaultfdRange *) range_list;

static void add_range(const struct dump *d, range_list *list, uint64_t start, uint64_t size)
{
	UserfaultfdRange *last = list->n ? list->items[list->n - 1] : NULL;

	if (last && last->start + last->size == start) {
		last->size += size;
		return;
	}
	last = *vector_push(list) = pool_new(d->pool, UserfaultfdRange);
	userfaultfd_range__init(last);
	last->start = start;
	last->size = size;
}

static int find_protected(const struct dump *d, const struct page_tables *tables, const struct mapping *m,
			  range_list *list)
{
	uint64_t words[WORDS];
	size_t n;

	for (uint64_t at = m->start; at < m->end; at += n * tables->page_size) {
		n = (m->end - at) / tables->page_size < WORDS ? (m->end - at) / tables->page_size : WORDS;
		TRY(pagemap_read_words(tables, at, n, words));
		for (size_t i = 0; i < n; i++)
			if (words[i] & PAGEMAP_UFFD_WP)
				add_range(d, list, at + i * tables->page_size, tables->page_size);
	}
	return 0;
}

static int find_zero(const struct dump *d, const struct page_tables *tables, const struct mapping *m, range_list *list)
{
	const struct pagemap_filter filter = { .all = PAGE_IS_PFNZERO };
	struct page_region regions[REGIONS];

	for (uint64_t at = m->start; at < m->end;) {
		ssize_t n = pagemap_scan(tables, &at, m->end, &filter, regions, REGIONS);

		TRY(n);
		for (ssize_t i = 0; i < n; i++)
			add_range(d, list, regions[i].start, regions[i].end - regions[i].start);
	}
	return 0;
}

static void keep_ranges(const struct dump *d, range_list *list, size_t *n, UserfaultfdRange ***all)
{
	UserfaultfdRange **joined = pool_array(d->pool, UserfaultfdRange *, *n + list->n + 1);

	if (*n)
		memcpy(joined, *all, *n * sizeof(*joined));
	if (list->n)
		memcpy(joined + *n, list->items, list->n * sizeof(*joined));
	*n += list->n;
	*all = joined;
	vector_done(list);
}

int file_dump_watched(const struct dump *d, struct task *task, const struct mapping *m)
{
	struct uffd_dump *dump;
	range_list protect = { 0 }, zero = { 0 };
	struct page_tables tables;
	int result;

	dump = get_dump(d);
	if (!dump->n)
		return refuse(EOPNOTSUPP, "it is watched by a userfaultfd that is open nowhere in the tree: dump the "
					  "process that has it as well, or let the program close it; after a lazy "
					  "restore wait until all of its memory is there");
	if (dump->n > 1 || (dump->watched && dump->watched != task))
		return refuse(EOPNOTSUPP, "it is watched by a userfaultfd, and there are several of them, or several "
					  "processes are watched: nobody can tell "
					  "which watches which");
	dump->watched = task;
	dump->record->pid = task->vpid;
	TRY(pagemap_open(&tables, task->dump->proc));
	result = m->vm_flags & VMF(UW) ? find_protected(d, &tables, m, &protect) : 0;
	if (result == 0 && m->vm_flags & VMF(UM))
		result = find_zero(d, &tables, m, &zero);
	pagemap_close(&tables);
	keep_ranges(d, &protect, &dump->record->n_protect, &dump->record->protect);
	keep_ranges(d, &zero, &dump->record->n_zero, &dump->record->zero);
	return result;
}

/* --- restore --- */

static int load_userfaultfd(const struct restore *r, struct file *f)
{
	const UserfaultfdEntry *record = f->entry->uffd;
	const struct task *task = task_tree_find(r->tree, record->pid);

	if (!task || !task_is_live(task))
		return refuse(EINVAL, "files.img: it watches the memory of process %d, which is not in the tree",
			      record->pid);
	f->users++; /* until settle */
	return 0;
}

/* It is for the memory of its maker: that task makes it, and we take it over. */
static int create_userfaultfd(struct restore *r, struct file *f)
{
	const UserfaultfdEntry *record = f->entry->uffd;
	struct task *task = task_tree_find(r->tree, record->pid);
	struct remote *remote = task->leader->remote;
	AUTO(plan_destroy) struct plan *plan = plan_create();
	struct uffdio_api api = { .api = UFFD_API, .features = record->features };
	AUTO_CLOSE int fd = -1;
	size_t at;

	at = plan_keep_result(plan, plan_syscall(plan, "make a userfaultfd", __NR_userfaultfd,
						 V(O_CLOEXEC | (record->flags & O_NONBLOCK))));
	TRY(remote_run(remote, plan, &r->progress->deadline));
	fd = pidfd_take_fd(task->restore->pidfd, (int)remote_value(remote, at));
	if (fd < 0)
		return fail(-fd, "taking over a userfaultfd");
	plan_reset(plan);
	plan_syscall(plan, "close the userfaultfd", __NR_close, V(remote_value(remote, at)));
	TRY(remote_run(remote, plan, &r->progress->deadline));
	if (record->has_features && ioctl(fd, UFFDIO_API, &api) < 0)
		return fail_errno("setting the features 0x%llx", (unsigned long long)record->features);
	TRY(file_apply_flags(fd, record->flags, record->fown));
	f->fd = TAKE_FD(fd);
	return 0;
}

static int watch_area(int fd, const VmaEntry *vma)
{
	struct uffdio_register area = { .range = { vma->start, vma->end - vma->start }, .mode = vma->watched };

	if (ioctl(fd, UFFDIO_REGISTER, &area) < 0)
		return fail_errno("watching %llx-%llx", (unsigned long long)vma->start, (unsigned long long)vma->end);
	return 0;
}

static int protect_range(int fd, const UserfaultfdRange *range)
{
	struct uffdio_writeprotect pages = { .range = { range->start, range->size },
					     .mode = UFFDIO_WRITEPROTECT_MODE_WP };

	if (ioctl(fd, UFFDIO_WRITEPROTECT, &pages) < 0)
		return fail_errno("protecting %llx-%llx", (unsigned long long)range->start,
				  (unsigned long long)(range->start + range->size));
	return 0;
}

static int make_zero(int fd, const UserfaultfdRange *range)
{
	struct uffdio_zeropage pages = { .range = { range->start, range->size } };

	if (ioctl(fd, UFFDIO_ZEROPAGE, &pages) < 0)
		return fail_errno("mapping zeros at %llx-%llx", (unsigned long long)range->start,
				  (unsigned long long)(range->start + range->size));
	return 0;
}

/* When nobody of us touches the memory any more. */
static int settle_userfaultfd(struct restore *r, struct file *f)
{
	const UserfaultfdEntry *record = f->entry->uffd;
	const MmEntry *mm = task_tree_find(r->tree, record->pid)->mm;
	int fd;

	TRY(file_get_fd(r, f, &fd));
	for (size_t i = 0; i < mm->n_vmas; i++)
		if (mm->vmas[i]->watched)
			TRY(watch_area(fd, mm->vmas[i]));
	for (size_t i = 0; i < record->n_zero; i++)
		TRY(make_zero(fd, record->zero[i]));
	for (size_t i = 0; i < record->n_protect; i++)
		TRY(protect_range(fd, record->protect[i]));
	file_put(r, f);
	return 0;
}

const struct file_kind userfaultfd_kind = {
	.name = "userfaultfd",
	.type = FD_TYPES__UFFD,
	.entry = offsetof(FileEntry, uffd),
	.anon_inode = "[userfaultfd]",
	.dump = dump_userfaultfd,
	.load = load_userfaultfd,
	.create = create_userfaultfd,
	.settle = settle_userfaultfd,
};
