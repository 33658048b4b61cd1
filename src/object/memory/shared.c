/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared memory objects: memfds and what is behind anonymous shared mappings. Each is saved once, whoever has it. */
#include "object/memory/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/table.h"
#include "base/text.h"
#include "image/pipe/store-pipe.h"
#include "image/record.h"
#include "object/file/file.h"
#include "object/memory/content-restore.h"
#include "object/memory/content.h"
#include "object/memory/live/early.h"
#include "object/memory/mapping-settings.h"
#include "object/memory/memory-state.h"
#include "object/memory/mappings-restore.h"
#include "object/memory/memory.h"
#include "pages/equal.h"
#include "pages/fill.h"
#include "session/ids.h"
#include "session/stats.h"

typedef page_range_list segment_list;

#define HUGE_SHIFT 26 /* MFD_HUGE_SHIFT = MAP_HUGE_SHIFT */

/* --- dump --- */

/* Page size of the object in the bits that memfd_create(2) takes; 0 if it is not of hugetlbfs. */
static int read_hugetlb_flag(int fd, MemfdInodeEntry *record)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return fail_errno("cannot ask for the file system of %s", record->name);
	if (fs.f_type != HUGETLBFS_MAGIC)
		return 0;
	record->has_hugetlb_flag = true;
	record->hugetlb_flag = MFD_HUGETLB | (uint32_t)__builtin_ctzl((unsigned long)fs.f_bsize) << HUGE_SHIFT;
	return 0;
}

/* Of what programs know by a descriptor. */
static void describe_inode(const struct dump *d, struct memory_object *object, const struct stat *stat)
{
	const int64_t times[] = { stat->st_atim.tv_sec, stat->st_atim.tv_nsec, stat->st_mtim.tv_sec,
				  stat->st_mtim.tv_nsec };
	MemfdInodeEntry *record = &object->record;
	char path[32];

	if (object->segment || text_starts(record->name, "/"))
		return;
	record->n_times = ARRAY_SIZE(times);
	record->times = pool_copy(d->pool, times, sizeof(times));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->fd);
	record->n_xattrs = inode_read_xattrs(d->pool, path, &record->xattrs);
	record->write_hint = inode_read_write_hint(object->fd);
	record->has_write_hint = record->write_hint != 0;
}

static int describe_object(const struct dump *d, struct memory_object *object, const struct stat *stat)
{
	MemfdInodeEntry *record = &object->record;
	int seals = fcntl(object->fd, F_GET_SEALS);

	if (seals < 0 && errno != EINVAL)
		return fail_errno("cannot read the seals of %s", record->name);
	record->seals = seals < 0 ? F_SEAL_SEAL : (uint32_t)seals;
	record->uid = dump_inner_uid(d, stat->st_uid);
	record->gid = dump_inner_gid(d, stat->st_gid);
	record->size = (uint64_t)stat->st_size;
	record->has_mode = true;
	record->mode = stat->st_mode;
	describe_inode(d, object, stat);
	return read_hugetlb_flag(object->fd, record);
}

/* The inode of a System V segment has its id as number, so a memfd may have the same one. */
static uint64_t inode_key(ino_t inode, bool segment)
{
	return (uint64_t)segment << 63 | inode;
}

static struct memory_object *find_number(const struct memory_dump *memory, const struct memory_object *but,
					 uint32_t number)
{
	for (size_t i = 0; i < memory->objects.n; i++)
		if (memory->objects.items[i] != but && memory->objects.items[i]->record.shmid == number)
			return memory->objects.items[i];
	return NULL;
}

/* For an object that is no segment: the one wanted, if nobody else has it. */
static void give_free_number(const struct memory_dump *memory, struct memory_object *object, uint32_t wanted)
{
	while (find_number(memory, object, wanted))
		wanted--;
	object->record.shmid = wanted;
}

/* Which pages are whose, the images tell by a number of 32 bits; that of a segment is its id. */
static int give_number(const struct memory_dump *memory, struct memory_object *object, ino_t inode, int id)
{
	struct memory_object *other;

	if (!object->segment) {
		give_free_number(memory, object, (uint32_t)inode);
		return 0;
	}
	other = find_number(memory, object, (uint32_t)id);
	if (other && other->segment)
		return refuse(EOPNOTSUPP, "two System V segments have the same id %d: the format cannot hold both", id);
	object->record.shmid = (uint32_t)id;
	if (other)
		give_free_number(memory, other, (uint32_t)id);
	return 0;
}

/* fd is taken over. It must have a file position of its own. id: of a System V segment, else -1. */
static int add_object(const struct dump *d, int fd, const char *name, int id, struct memory_object **ret)
{
	struct memory_dump *memory = memory_dump_state(d);
	struct memory_object *object = pool_new(d->pool, struct memory_object);
	struct stat stat;

	memfd_inode_entry__init(&object->record);
	object->fd = fd;
	object->record.name = pool_string(d->pool, name);
	object->record.inode_id = memory->objects.n + 1;
	object->segment = id >= 0;
	*vector_push(&memory->objects) = object;
	if (fstat(fd, &stat) < 0)
		return fail_errno("cannot examine %s", name);
	TRY(give_number(memory, object, stat.st_ino, id));
	TRY(describe_object(d, object, &stat));
	object->dev = stat.st_dev;
	table_set2(memory->by_inode, stat.st_dev, inode_key(stat.st_ino, object->segment), object);
	*ret = object;
	return 0;
}

int memory_dump_object(const struct dump *d, int fd, const struct stat *stat, const char *name, uint32_t *ret_inode_id)
{
	struct memory_object *object =
		table_find2(memory_dump_state(d)->by_inode, stat->st_dev, inode_key(stat->st_ino, false));
	char path[64];

	if (!object) {
		/* Opened anew: the position of the task's descriptor is not ours to move. */
		int own;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, O_RDONLY | O_NOATIME | O_CLOEXEC);
		if (own < 0 && errno == EPERM) /* only its owner and root may ask for that */
			own = open(path, O_RDONLY | O_CLOEXEC);
		if (own < 0)
			return fail_errno("cannot open %s again", name);
		TRY(add_object(d, own, name, -1, &object));
	}
	*ret_inode_id = (uint32_t)object->record.inode_id;
	return 0;
}

int memory_dump_segment(const struct dump *d, int fd, int id)
{
	struct memory_object *object;

	return add_object(d, fd, pool_printf(d->pool, "System V segment %d", id), id, &object);
}

static uint32_t add_file(const struct dump *d, const struct memory_object *object, bool writable)
{
	FileEntry *entry = file_add_entry(d, FD_TYPES__MEMFD, offsetof(FileEntry, memfd));
	MemfdFileEntry *record = entry->memfd;

	record->id = entry->id;
	record->flags = writable ? O_RDWR : O_RDONLY;
	record->inode_id = (uint32_t)object->record.inode_id;
	record->fown = pool_new(d->pool, FownEntry);
	fown_entry__init(record->fown);
	return entry->id;
}

int memory_open_mapped(int proc, const struct mapping *mapping, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, mapping->start, mapping->end);
	return openat(proc, path, O_RDONLY | O_CLOEXEC | flags);
}

int memory_dump_shared(const struct dump *d, struct task *task, const struct mapping *mapping, uint32_t *ret_file_id)
{
	struct memory_object *object =
		table_find2(memory_dump_state(d)->by_inode, mapping->dev, inode_key(mapping->inode, false));
	bool writable = mapping->shared && mapping->vm_flags & VMF(MW);
	const char *name = mapping_is_named_shared(mapping) ? "/dev/zero" : text_after(mapping->name, "/memfd:");

	if (!object) {
		int fd = memory_open_mapped(task->dump->proc, mapping, 0);

		if (fd < 0)
			return fail_errno("cannot open the shared memory of mapping %" PRIx64 "-%" PRIx64 " (%s)",
					  mapping->start, mapping->end, mapping->name);
		TRY(add_object(d, fd, name ? name : mapping->name, -1, &object));
	}
	if (!object->file_ids[writable])
		object->file_ids[writable] = add_file(d, object, writable);
	*ret_file_id = object->file_ids[writable];
	return 0;
}

/* Data segments: holes of the object are not stored. */
int memory_find_segments(int fd, uint64_t size, segment_list *segments)
{
	uint64_t page = page_size();
	off_t data, hole = 0;

	while ((uint64_t)hole < size && (data = lseek(fd, hole, SEEK_DATA)) >= 0) {
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return fail_errno("cannot look for holes");
		*vector_push(segments) = (struct page_range){
			.start = (uint64_t)data / page * page,
			.nr_pages = ((uint64_t)hole + page - 1) / page - (uint64_t)data / page,
			.flags = PE_PRESENT,
		};
	}
	return (uint64_t)hole < size && errno != ENXIO ? fail_errno("cannot look for data") : 0;
}

/* What the parent has and what is the same goes to it. A page server would have to tell what it has. */
static int leave_equal(struct dump *d, const struct memory_object *object, const struct page_source *source,
		       segment_list *segments)
{
	struct memory_dump *memory = memory_dump_of(d);
	AUTO(page_reader_close) struct page_reader *parent = NULL;
	int result;

	if (!memory->parent || memory->parent_elsewhere || d->options->use_page_server)
		return 0;
	result = page_reader_open(memory->parent, IMAGE_PAGEMAP_SHMEM, object->record.shmid, &parent);
	if (result == -ENOENT)
		return 0;
	TRY(result);
	return pages_find_equal(memory->mover, source, parent, segments);
}

static void count_pages(struct dump *d, const struct memory_object *object, const segment_list *segments)
{
	d->stats->shpages_scanned += object->record.size / page_size();
	for (size_t i = 0; i < segments->n; i++) {
		const uint64_t n = segments->items[i].nr_pages;

		if (segments->items[i].flags & PE_PARENT) {
			d->stats->shpages_skipped_parent += n;
			continue;
		}
		d->stats->shpages_written += n;
		meter_expect(d->meter, (int64_t)(n * page_size()));
	}
}

static int save_segments(struct dump *d, const struct memory_object *object, int fd, segment_list *segments)
{
	struct memory_dump *memory = memory_dump_of(d);
	const struct page_source source = { 0, fd };
	int result;

	stats_start(d->stats, STATS_MEMDUMP);
	result = leave_equal(d, object, &source, segments);
	stats_stop(d->stats, STATS_MEMDUMP);
	count_pages(d, object, segments);
	stats_start(d->stats, STATS_MEMWRITE);
	if (result == 0)
		result = pages_save(memory->mover, &source, memory_sink(d), IMAGE_PAGEMAP_SHMEM, object->record.shmid,
				    segments->items, segments->n);
	stats_stop(d->stats, STATS_MEMWRITE);
	return result;
}

/* If it was copied before the tasks stood still, it follows when they run: memory_dump_early(). */
static int save_object(struct dump *d, struct memory_object *object)
{
	segment_list segments = { 0 };
	int result = 0, early = -1;
	bool watched = false;

	LOG_SCOPE("shared memory %u (%s)", object->record.shmid, object->record.name);
	if (object->record.size == 0)
		return 0;
	stats_start(d->stats, STATS_MEMDUMP);
	if (d->options->live && !d->options->no_content)
		early = memory_early_take_watched(d, object);
	watched = early >= 0;
	if (early < 0 && !d->options->no_content)
		result = memory_find_segments(object->fd, object->record.size, &segments);
	if (early < 0 && result == 0 && d->options->live)
		early = memory_early_take(d, object, &segments);
	stats_stop(d->stats, STATS_MEMDUMP);
	if (early >= 0) {
		object->is_early = true;
		object->is_watched = watched;
		object->early = early;
		object->segments = segments;
		return interrupt_check();
	}
	if (result == 0)
		result = save_segments(d, object, object->fd, &segments);
	vector_done(&segments);
	return result;
}

int memory_dump_early(struct dump *d)
{
	struct memory_dump *memory = memory_dump_of(d);

	for (size_t i = 0; i < memory->objects.n; i++) {
		struct memory_object *object = memory->objects.items[i];

		LOG_SCOPE("shared memory %u (%s)", object->record.shmid, object->record.name);
		if (!object->is_early)
			continue;
		if (object->is_watched)
			memory_early_segments(d, object, &object->segments);
		TRY(save_segments(d, object, object->early, &object->segments));
	}
	return 0;
}

int memory_dump_finish(struct dump *d)
{
	struct memory_dump *memory = memory_dump_state(d);
	AUTO(image_close) struct image *image = NULL;

	TRY(image_create(dump_store(d), &image, IMAGE_MEMFD_INODE));
	for (size_t i = 0; i < memory->objects.n; i++) {
		if (!memory->objects.items[i]->segment)
			TRY(image_write(image, &memory->objects.items[i]->record));
		TRY(save_object(d, memory->objects.items[i]));
	}
	if (!d->options->live) /* else private memory follows */
		TRY(memory_sink(d)->ops->finish(memory_sink(d)));
	return image_finish(&image);
}

/* --- pre-dump: what is mapped is saved while the tasks run, so that the dump finds it equal --- */

bool memory_is_segment(const struct mapping *m)
{
	return m->name && text_starts(m->name, "/SYSV") && m->deleted;
}

bool memory_is_object(const struct mapping *m, bool own_ipc)
{
	if (!m->shared || !m->name || m->vm_flags & VMF(HT))
		return false;
	if (own_ipc && memory_is_segment(m))
		return true; /* inode 0, too: it is the number of the segment */
	return m->inode && (text_starts(m->name, "/memfd:") || (text_starts(m->name, "/dev/zero") && m->deleted));
}

bool memory_has_own_ipc(int proc)
{
	struct stat theirs, ours;

	return fstatat(proc, "ns/ipc", &theirs, 0) == 0 && stat("/proc/self/ns/ipc", &ours) == 0 &&
	       (theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino);
}

int memory_dump_choose_shared(struct dump *d, struct task *task)
{
	const bool own_ipc = memory_has_own_ipc(task->dump->proc);
	struct memory_object *object;

	/* The dump compares it with what is here; a stream has gone elsewhere. */
	if (store_is_pipe(dump_store(d)))
		return 0;
	for (size_t i = 0; i < task->dump->mappings.n; i++) {
		const struct mapping *m = &task->dump->mappings.items[i];
		const bool segment = memory_is_segment(m);
		int fd;

		if (!memory_is_object(m, own_ipc) ||
		    table_find2(memory_dump_state(d)->by_inode, m->dev, inode_key(m->inode, segment)))
			continue;
		fd = memory_open_mapped(task->dump->proc, m, 0);
		if (fd < 0)
			log_info("The shared memory of mapping %" PRIx64 "-%" PRIx64 " is left to the dump: %s",
				 m->start, m->end, strerror(errno));
		else
			TRY(add_object(d, fd, m->name, segment ? (int)m->inode : -1, &object));
	}
	return 0;
}

int memory_dump_copied(struct dump *d)
{
	struct memory_dump *memory = memory_dump_state(d);

	for (size_t i = 0; i < memory->objects.n; i++)
		TRY(save_object(d, memory->objects.items[i]));
	return memory_sink(d)->ops->finish(memory_sink(d));
}

/* --- restore --- */

int memory_load_object(const struct restore *r, uint32_t shmid, uint64_t size)
{
	struct shared_set *shared = memory_shared_set(r);
	struct page_reader *reader = NULL;
	const struct stored_range *last;
	int result;

	LOG_SCOPE("shared memory %u", shmid);
	if (size == 0 || r->options->use_page_server) /* see memory_load_content() */
		return 0;
	result = page_reader_open(r->store, IMAGE_PAGEMAP_SHMEM, shmid, &reader);
	if (result == -ENOENT)
		return refuse(ENOENT, "pagemap-shmem-%u.img is missing", shmid);
	TRY(result);
	if (table_find(shared->readers, shmid)) {
		page_reader_close(&reader);
		return refuse(EINVAL, "two objects have this number");
	}
	table_set(shared->readers, shmid, reader);
	*vector_push(&shared->open) = reader;
	last = reader->n ? &reader->ranges[reader->n - 1] : NULL;
	if (last && last->start + last->size > (size + page_size() - 1) / page_size() * page_size())
		return refuse(EINVAL, "has pages behind its end: its size is %" PRIu64, size);
	for (size_t i = 0; i < reader->n; i++)
		reader->ranges[i].how = PAGE_FRESH;
	return 0;
}

/* Files of hugetlbfs can be read, but not written: written to as memory of our own. */
static int fill_mapped(const struct restore *r, struct page_reader *reader, int fd, uint64_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	const struct page_target target = { getpid(), -1, -1 };
	int result;

	if (memory == MAP_FAILED)
		return fail_errno("cannot map it; are there enough free huge pages?");
	for (size_t i = 0; i < reader->n; i++)
		reader->ranges[i].start += (uintptr_t)memory;
	result = pages_fill(memory_mover(r), &target, reader->ranges, reader->n, NULL);
	munmap(memory, size);
	return result;
}

int memory_fill_object(struct restore *r, int fd, uint32_t shmid, uint64_t size)
{
	struct page_reader *reader = size ? table_find(memory_shared_set(r)->readers, shmid) : NULL;
	const struct page_target target = { 0, fd, -1 };
	struct statfs fs;

	LOG_SCOPE("shared memory %u", shmid);
	if (!reader)
		return size ? refuse(EINVAL, "its pages were not looked up") : 0;
	if (fstatfs(fd, &fs) < 0)
		return fail_errno("cannot ask for its file system");
	if (fs.f_type == HUGETLBFS_MAGIC)
		return fill_mapped(r, reader, fd, size);
	TRY(pages_fill(memory_mover(r), &target, reader->ranges, reader->n, NULL));
	/* Whole pages were written; the object may end within one. */
	if (ftruncate(fd, (off_t)size) < 0)
		return fail_errno("cannot make it %" PRIu64 " bytes long", size);
	return 0;
}

uint64_t memory_size_of(const struct task *task)
{
	const struct memory_restore *memory = task->restore ? memory_restore_of(task) : NULL;

	return memory && memory->content ? ((const struct page_reader *)memory->content)->size : 0;
}

uint64_t memory_size_of_shared(struct restore *r, size_t *ret_objects)
{
	uint64_t size = 0;

	*ret_objects = shared_set_of(r) ? shared_set_of(r)->open.n : 0;
	for (size_t i = 0; i < *ret_objects; i++)
		size += shared_set_of(r)->open.items[i]->size;
	return size;
}

static void destroy_shared(void *state)
{
	struct shared_set *shared = state;

	for (size_t i = 0; i < shared->open.n; i++)
		page_reader_close(&shared->open.items[i]);
	vector_done(&shared->open);
	table_destroy(&shared->readers);
	table_destroy(&shared->mapped);
	page_mover_destroy(&shared->mover);
}

static const struct state_type shared_state = { sizeof(struct shared_set), destroy_shared };

struct shared_set *shared_set_of(const struct restore *r)
{
	return state_find(r->states, &shared_state);
}

struct shared_set *memory_shared_set(const struct restore *r)
{
	struct shared_set *shared = shared_set_of(r);

	if (!shared) {
		shared = state_make(r->states, &shared_state);
		shared->readers = table_create();
	}
	return shared;
}

void memory_restore_clean(struct restore *r)
{
	struct task *task;

	for_each_task(task, r->tree)
		if (task->restore)
			state_destroy(&task->restore->states, &memory_restore_state);
	state_destroy(r->states, &shared_state);
	meter_end(r->meter);
}

/* --- how a memfd that no task has open is mapped --- */

static void note_mapped(struct shared_set *shared, const struct task *task)
{
	for (size_t i = 0; i < task->mm->n_vmas; i++) {
		const VmaEntry *vma = task->mm->vmas[i];

		if (vma->status & VMA_MEMFD && vma->status & VMA_FILE_SHARED &&
		    (!vma->has_fdflags || (vma->fdflags & O_ACCMODE) != O_RDONLY))
			table_set(shared->mapped, vma->shmid, shared);
	}
}

bool memory_is_mapped_writable(struct restore *r, uint32_t file_id)
{
	struct shared_set *shared = memory_shared_set(r);
	struct task *task;

	if (!shared->mapped) {
		shared->mapped = table_create();
		for_each_task(task, r->tree)
			if (task->mm)
				note_mapped(shared, task);
	}
	return table_find(shared->mapped, file_id);
}
