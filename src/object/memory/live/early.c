/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dump --live: no child keeps shared memory as it was. So it is copied into a file without a name before anything
 * stands still, with a checksum of each page. In the freeze what was written to since is copied once more, if all who
 * write to it could be watched (mappers.c). Else the sums are made again, and pages that are others by then are copied:
 * then it does not matter who has written to them, and through what. The images are made of that file when the tasks
 * run again.
 */
#include "object/memory/live/early.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "image/codec.h"
#include "kern/proc/maps.h"
#include "object/memory/content.h"
#include "object/memory/live/mappers.h"
#include "object/memory/memory-state.h"
#include "object/memory/shared.h"
#include "session/session.h"
#include "session/state.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

#define SIZE_MIN    (64ull << 10) /* of objects; less is copied in no time */
#define PASSES	    4
#define FEW	    256 /* one page of so many was changed meanwhile: copying again would not help */
#define FEW_MAX	    1024
#define WATCHED_MIN (4ull << 20) /* of objects; the sums of less are made in no time */

struct early_object {
	dev_t dev;
	ino_t ino;
	bool segment;  /* of System V, whose inode may have the number of another one's */
	uint64_t size; /* bytes, whole pages */
	int object;
	int file;	  /* the copy; -1: there is none */
	bool sealed;	  /* F_SEAL_WRITE: nobody can change it, by whatever means */
	const char *data; /* the object itself; NULL: it must be read, as others can make it shorter */
	uint64_t *sums;	  /* of each page in the file; 0: it is not there */
	bool watched;	  /* as far as can be */
	size_t index;	  /* among those that are */
};

struct early_copies {
	uint64_t seed;
	struct memory_mappers *mappers;
	size_t n_watched;
	VECTOR(struct early_object) items;
};

static void drop_copy(struct early_object *early)
{
	if (early->data)
		munmap((void *)(uintptr_t)early->data, early->size);
	early->data = NULL;
	if (early->file >= 0)
		close(TAKE_FD(early->file));
	free(TAKE_PTR(early->sums));
}

static void destroy_copies(void *state)
{
	struct early_copies *copies = state;

	memory_mappers_destroy(&copies->mappers);
	for (size_t i = 0; i < copies->items.n; i++) {
		drop_copy(&copies->items.items[i]);
		close(copies->items.items[i].object);
	}
	vector_done(&copies->items);
}

static const struct state_type early_state = { sizeof(struct early_copies), destroy_copies };

/* --- what there is --- */

/* NULL: it was not noted. */
static struct early_object *find_object(const struct early_copies *copies, const struct stat *stat, bool segment)
{
	for (size_t i = 0; i < copies->items.n; i++) {
		struct early_object *early = &copies->items.items[i];

		if (early->dev == stat->st_dev && early->ino == stat->st_ino && early->segment == segment)
			return early;
	}
	return NULL;
}

/* What nobody can make shorter may be mapped: reading behind its end would kill us. */
static const char *map_object(int fd, int seals, uint64_t size)
{
	void *data;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return NULL;
	data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	return data == MAP_FAILED ? NULL : data;
}

/* NULL: it is not worth it. fd is taken over. */
static struct early_object *add_object(struct early_copies *copies, int fd, const struct stat *stat,
				       const struct mapping *m)
{
	const bool has_seals = text_starts(m->name, "/memfd:");
	const uint64_t size = ((uint64_t)stat->st_size + page_size() - 1) / page_size() * page_size();
	const int seals = has_seals ? fcntl(fd, F_GET_SEALS) : F_SEAL_SHRINK;
	struct early_object *early;

	if (size < SIZE_MIN) {
		close(fd);
		return NULL;
	}
	early = vector_push(&copies->items);
	*early = (struct early_object){
		.dev = stat->st_dev,
		.ino = stat->st_ino,
		.segment = memory_is_segment(m),
		.size = size,
		.object = fd,
		.file = -1,
		.sealed = seals >= 0 && seals & F_SEAL_WRITE,
	};
	early->data = map_object(fd, seals, size);
	/* A memfd can also be written to by write(2), which leaves no trace that writing to mapped memory does not. */
	early->watched = size >= WATCHED_MIN && !has_seals;
	early->index = early->watched ? copies->n_watched++ : 0;
	return early;
}

static void note_object(struct early_copies *copies, pid_t pid, int proc, const struct mapping *m)
{
	AUTO_CLOSE int fd = memory_open_mapped(proc, m, O_NOATIME);
	struct early_object *early;
	struct stat stat;

	if (fd < 0)
		fd = memory_open_mapped(proc, m, 0);
	if (fd < 0 || fstat(fd, &stat) < 0)
		return;
	early = find_object(copies, &stat, memory_is_segment(m));
	if (!early)
		early = add_object(copies, TAKE_FD(fd), &stat, m);
	if (early && early->watched)
		memory_mappers_add(copies->mappers, pid, m, early->index);
}

void memory_early_note(struct dump *d, pid_t pid, int proc, const struct mappings *mappings)
{
	struct early_copies *copies = state_get(d->states, &early_state);
	const bool own_ipc = memory_has_own_ipc(proc);

	/* A page server has the room, not we; and nothing that is to be encrypted lies on a disk as it is. */
	if (d->options->use_page_server || d->options->encrypt_to.n)
		return;
	if (!copies->mappers)
		copies->mappers = memory_mappers_create(d);
	for (size_t i = 0; i < mappings->n; i++)
		if (memory_is_object(&mappings->items[i], own_ipc))
			note_object(copies, pid, proc, &mappings->items[i]);
}

/* --- one pass over an object --- */

struct early_pass {
	struct page_mover *mover;
	struct early_object *early;
	uint64_t seed;
	VECTOR(struct page_range) chunks;
	uint64_t changed; /* pages; by all workers */
};

/* 0 stands for none. */
static uint64_t sum_of(const struct early_pass *pass, const char *page)
{
	uint64_t sum = checksum_of(page, page_size(), pass->seed);

	return sum ? sum : 1;
}

/* The page is written to while it is looked at: only what was copied counts. */
static bool copy_page(const struct early_pass *pass, const char *data, char *buffer, uint64_t *sum)
{
	uint64_t now = sum_of(pass, data);

	if (now == *sum)
		return false;
	if (data != buffer) {
		memcpy(buffer, data, page_size());
		now = sum_of(pass, buffer);
	}
	*sum = now;
	return true;
}

static int write_run(const struct early_object *early, const char *from, size_t size, uint64_t at)
{
	ssize_t done = size ? io_pwrite(early->file, from, size, (off_t)at) : 0;

	return done < 0 ? (int)done : 0;
}

static int pass_chunk(void *arg, size_t item, unsigned worker)
{
	struct early_pass *pass = arg;
	struct early_object *early = pass->early;
	const uint64_t start = pass->chunks.items[item].start, page = page_size();
	const size_t size = pass->chunks.items[item].nr_pages * page;
	char *buffer = page_mover_buffer(pass->mover, worker);
	size_t run = 0, changed = 0;

	TRY(interrupt_check());
	if (!early->data) {
		ssize_t got = io_pread(early->object, buffer, size, (off_t)start);

		if (got < 0)
			return (int)got;
		memset(buffer + got, 0, size - (size_t)got); /* it ends there */
	}
	for (size_t at = 0; at < size; at += page) {
		const char *data = early->data ? early->data + start + at : buffer + at;

		if (copy_page(pass, data, buffer + at, &early->sums[(start + at) / page])) {
			changed++;
			continue;
		}
		TRY(write_run(early, buffer + run, at - run, start + run));
		run = at + page;
	}
	__atomic_fetch_add(&pass->changed, changed, __ATOMIC_RELAXED);
	return write_run(early, buffer + run, size - run, start + run);
}

static void add_chunks(struct early_pass *pass, const struct page_range *segment)
{
	const uint64_t page = page_size(), block = PAGE_BLOCK_SIZE / page;
	uint64_t end = segment->start + segment->nr_pages * page;

	if (end > pass->early->size)
		end = pass->early->size;
	for (uint64_t at = segment->start; at < end; at += PAGE_BLOCK_SIZE)
		*vector_push(&pass->chunks) = (struct page_range){
			.start = at,
			.nr_pages = (end - at) / page < block ? (end - at) / page : block,
		};
}

static int run_pass(struct dump *d, struct early_object *early, const page_range_list *segments, uint64_t *ret_changed)
{
	const struct early_copies *copies = state_find(d->states, &early_state);
	struct early_pass pass = { memory_dump_state(d)->mover, early, copies->seed };
	int result;

	for (size_t i = 0; i < segments->n; i++)
		add_chunks(&pass, &segments->items[i]);
	result = page_mover_run(pass.mover, pass.chunks.n * PAGE_BLOCK_SIZE, pass.chunks.n, pass_chunk, &pass);
	vector_done(&pass.chunks);
	*ret_changed = pass.changed;
	return result;
}

/* --- before the freeze --- */

/* The images will need the same room once more. */
static int make_file(struct dump *d, struct early_object *early)
{
	struct statvfs fs;

	if (fstatvfs(d->options->images_dir_fd, &fs) < 0)
		return -errno;
	if (fs.f_bavail * fs.f_frsize / 2 < early->size)
		return -ENOSPC;
	early->file = openat(d->options->images_dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (early->file < 0)
		return -errno;
	early->sums = xzalloc(early->size / page_size() * sizeof(*early->sums));
	return 0;
}

/* Only what is there: to look at a hole of mapped memory fills it. */
static void map_pages(const struct early_object *early, const page_range_list *segments)
{
	for (size_t i = 0; early->data && i < segments->n; i++) {
		const struct page_range *segment = &segments->items[i];

		if (segment->start + segment->nr_pages * page_size() <= early->size)
			(void)madvise((void *)(uintptr_t)(early->data + segment->start),
				      segment->nr_pages * page_size(), MADV_POPULATE_READ);
	}
}

/* What has become a hole since. */
static void forget_holes(const struct early_object *early, const page_range_list *segments)
{
	uint64_t at = 0;

	for (size_t i = 0; i < segments->n && segments->items[i].start < early->size; i++) {
		memset(early->sums + at / page_size(), 0,
		       (segments->items[i].start - at) / page_size() * sizeof(*early->sums));
		at = segments->items[i].start + segments->items[i].nr_pages * page_size();
	}
	if (at < early->size)
		memset(early->sums + at / page_size(), 0, (early->size - at) / page_size() * sizeof(*early->sums));
}

/* What may have been written to since the last pass is copied, if it is other than before. only_known: if nobody will
 * know in the end who has written to it, it is left to the freeze. */
static int copy_once(struct dump *d, struct early_object *early, bool only_known, uint64_t *ret_changed)
{
	const struct early_copies *copies = state_find(d->states, &early_state);
	page_range_list segments = { 0 };
	int result = 0;

	if (!early->watched || !memory_mappers_take(copies->mappers, early->index, &segments)) {
		segments.n = 0;
		if (only_known && !(early->watched && memory_mappers_know(copies->mappers, early->index)))
			goto end;
		result = memory_find_segments(early->object, early->size, &segments);
		if (result == 0)
			forget_holes(early, &segments);
	}
	map_pages(early, &segments);
	if (result == 0)
		result = run_pass(d, early, &segments, ret_changed);
	log_debug("Shared memory %" PRIu64 ": %" PRIu64 " pages were copied before the tasks stand still",
		  (uint64_t)early->ino, *ret_changed);
end:
	vector_done(&segments);
	return result;
}

/* As long as each pass leaves much less to the next one. */
static int copy_early(struct dump *d, struct early_object *early)
{
	const uint64_t few = early->size / page_size() / FEW;
	uint64_t changed = UINT64_MAX, before = UINT64_MAX;

	TRY(make_file(d, early));
	for (unsigned i = 0; i < PASSES; i++) {
		if (i && (early->sealed || changed <= (few < FEW_MAX ? few : FEW_MAX) || changed > before / 2))
			break;
		before = changed;
		TRY(copy_once(d, early, false, &changed));
	}
	return 0;
}

static int copy_all(struct dump *d, int (*copy)(struct dump *d, struct early_object *early))
{
	struct early_copies *copies = state_find(d->states, &early_state);

	for (size_t i = 0; i < copies->items.n; i++) {
		struct early_object *early = &copies->items.items[i];
		int result = copy(d, early);

		TRY(interrupt_check());
		if (result == 0)
			continue;
		log_info("Shared memory %" PRIu64 " (%" PRIu64 " MiB) is copied while the tasks stand still: %s",
			 (uint64_t)early->ino, early->size >> 20, strerror(-result));
		drop_copy(early);
	}
	return 0;
}

static int begin_watch(struct early_copies *copies)
{
	int *objects = xzalloc((copies->n_watched + 1) * sizeof(*objects));
	int result;

	for (size_t i = 0; i < copies->items.n; i++)
		if (copies->items.items[i].watched)
			objects[copies->items.items[i].index] = copies->items.items[i].object;
	result = memory_mappers_begin(copies->mappers, objects, copies->n_watched);
	free(objects);
	return result;
}

int memory_early_copy(struct dump *d)
{
	struct early_copies *copies = state_find(d->states, &early_state);

	if (!copies || !copies->items.n || getrandom(&copies->seed, sizeof(copies->seed), 0) != sizeof(copies->seed))
		return 0;
	if (copies->n_watched)
		TRY(begin_watch(copies));
	return copy_all(d, copy_early);
}

static int copy_again(struct dump *d, struct early_object *early)
{
	uint64_t changed;

	return early->watched && early->file >= 0 ? copy_once(d, early, true, &changed) : 0;
}

int memory_early_copy_again(struct dump *d)
{
	struct early_copies *copies = state_find(d->states, &early_state);

	if (!copies || !copies->n_watched)
		return 0;
	TRY(copy_all(d, copy_again));
	memory_mappers_look_again(copies->mappers);
	return 0;
}

/* --- in it --- */

void memory_early_check(const struct dump *d)
{
	const struct early_copies *copies = state_find(d->states, &early_state);

	if (copies && copies->n_watched)
		memory_mappers_check(copies->mappers);
}

void memory_early_find(const struct dump *d, struct task *task)
{
	const struct early_copies *copies = state_find(d->states, &early_state);

	if (copies && copies->n_watched)
		memory_mappers_find(copies->mappers, task);
}

/* NULL: there is no copy. */
static struct early_object *find_copy(const struct dump *d, const struct memory_object *object)
{
	const struct early_copies *copies = state_find(d->states, &early_state);
	struct early_object *early;
	struct stat stat;

	if (!copies || fstat(object->fd, &stat) < 0)
		return NULL;
	early = find_object(copies, &stat, object->segment);
	/* Another size: rare, and what is mapped of it may end earlier. */
	if (!early || early->file < 0 ||
	    ((uint64_t)stat.st_size + page_size() - 1) / page_size() * page_size() != early->size)
		return NULL;
	return early;
}

static int take_pages(struct dump *d, struct early_object *early, const page_range_list *pages)
{
	uint64_t changed;
	int result = run_pass(d, early, pages, &changed);

	if (result < 0) {
		log_info("It is copied while the tasks stand still: %s", strerror(-result));
		return -1;
	}
	log_info("%" PRIu64 " of its pages were written to since it was copied", changed);
	return early->file;
}

int memory_early_take_watched(struct dump *d, const struct memory_object *object)
{
	const struct early_copies *copies = state_find(d->states, &early_state);
	struct early_object *early = find_copy(d, object);
	page_range_list written = { 0 };
	int file = -1;

	if (!early || !early->watched)
		return -1;
	if (memory_mappers_take_last(copies->mappers, early->index, &written)) {
		log_info("All who write to it were watched");
		file = take_pages(d, early, &written);
	}
	vector_done(&written);
	return file;
}

int memory_early_take(struct dump *d, const struct memory_object *object, const page_range_list *segments)
{
	struct early_object *early = find_copy(d, object);

	if (!early)
		return -1;
	if (early->sealed) {
		log_info("It was sealed when it was copied: nobody can have written to it since");
		return early->file;
	}
	return take_pages(d, early, segments);
}

/* --- after it --- */

void memory_early_let_go(const struct dump *d)
{
	const struct early_copies *copies = state_find(d->states, &early_state);

	if (copies && copies->n_watched)
		memory_mappers_end(copies->mappers);
}

void memory_early_segments(const struct dump *d, const struct memory_object *object, page_range_list *ret)
{
	const struct early_copies *copies = state_find(d->states, &early_state);
	const struct early_object *early;
	struct page_range *last = NULL;
	struct stat stat;

	if (fstat(object->fd, &stat) < 0)
		return;
	early = find_object(copies, &stat, object->segment); /* whatever size it has by now */
	for (uint64_t page = 0; early && page < early->size / page_size(); page++) {
		if (early->sums[page] && last)
			last->nr_pages++;
		else if (early->sums[page])
			*(last = vector_push(ret)) = (struct page_range){ page * page_size(), 1, .flags = PE_PRESENT };
		else
			last = NULL;
	}
}
