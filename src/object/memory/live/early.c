/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dump --live: no child keeps shared memory as it was. So it is copied into a file without a name before anything
 * stands still, with a checksum of each page; in the freeze the sums are made again, and only pages that are others by
 * then are copied once more. It does not matter who has written to them, and through what. The images are made of that
 * file when the tasks run again.
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
#include "object/memory/memory-state.h"
#include "object/memory/shared.h"
#include "session/session.h"
#include "session/state.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

#define SIZE_MIN (64ull << 10) /* of objects; less is copied in no time */
#define PASSES	 4
#define FEW	 256 /* one page of so many was changed meanwhile: copying again would not help */

struct early_object {
	dev_t dev;
	ino_t ino;
	uint64_t size; /* bytes, whole pages */
	int object;
	int file;	  /* the copy; -1: there is none */
	bool sealed;	  /* F_SEAL_WRITE: nobody can change it, by whatever means */
	const char *data; /* the object itself; NULL: it must be read, as others can make it shorter */
	uint64_t *sums;	  /* of each page in the file; 0: it is not there */
};

struct early_copies {
	uint64_t seed;
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

	for (size_t i = 0; i < copies->items.n; i++) {
		drop_copy(&copies->items.items[i]);
		close(copies->items.items[i].object);
	}
	vector_done(&copies->items);
}

static const struct state_type early_state = { sizeof(struct early_copies), destroy_copies };

/* --- what there is --- */

/* NULL: it was not noted. */
static struct early_object *find_object(const struct early_copies *copies, const struct stat *stat)
{
	for (size_t i = 0; i < copies->items.n; i++)
		if (copies->items.items[i].dev == stat->st_dev && copies->items.items[i].ino == stat->st_ino)
			return &copies->items.items[i];
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

static void note_object(struct early_copies *copies, int proc, const struct mapping *m)
{
	AUTO_CLOSE int fd = memory_open_mapped(proc, m, O_NOATIME);
	struct early_object *early;
	struct stat stat;
	uint64_t size;
	int seals;

	if (fd < 0)
		fd = memory_open_mapped(proc, m, 0);
	if (fd < 0 || fstat(fd, &stat) < 0 || find_object(copies, &stat))
		return;
	size = ((uint64_t)stat.st_size + page_size() - 1) / page_size() * page_size();
	if (size < SIZE_MIN)
		return;
	seals = text_starts(m->name, "/memfd:") ? fcntl(fd, F_GET_SEALS) : F_SEAL_SHRINK;
	early = vector_push(&copies->items);
	*early = (struct early_object){
		.dev = stat.st_dev,
		.ino = stat.st_ino,
		.size = size,
		.object = TAKE_FD(fd),
		.file = -1,
		.sealed = seals >= 0 && seals & F_SEAL_WRITE,
	};
	early->data = map_object(early->object, seals, size);
}

void memory_early_note(struct dump *d, int proc, const struct mappings *mappings)
{
	struct early_copies *copies = state_get(d->states, &early_state);
	const bool own_ipc = memory_has_own_ipc(proc);
	ino_t last = 0; /* most follow each other */

	/* A page server has the room, not we; and nothing that is to be encrypted lies on a disk as it is. */
	if (d->options->use_page_server || d->options->encrypt_to.n)
		return;
	for (size_t i = 0; i < mappings->n; i++) {
		if (mappings->items[i].inode == last || !memory_is_object(&mappings->items[i], own_ipc))
			continue;
		last = mappings->items[i].inode;
		note_object(copies, proc, &mappings->items[i]);
	}
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

static int copy_early(struct dump *d, struct early_object *early)
{
	page_range_list segments = { 0 };
	uint64_t changed = UINT64_MAX, before = UINT64_MAX;
	int result = make_file(d, early);

	/* As long as each pass leaves much less to the next one. */
	for (unsigned i = 0; i < PASSES && result == 0; i++) {
		if (i && (early->sealed || changed <= early->size / page_size() / FEW || changed > before / 2))
			break;
		before = changed;
		segments.n = 0;
		result = memory_find_segments(early->object, early->size, &segments);
		if (result < 0)
			break;
		map_pages(early, &segments);
		result = run_pass(d, early, &segments, &changed);
		log_debug("Shared memory %" PRIu64 ", pass %u: %" PRIu64 " pages", (uint64_t)early->ino, i + 1,
			  changed);
	}
	vector_done(&segments);
	return result;
}

int memory_early_copy(struct dump *d)
{
	struct early_copies *copies = state_find(d->states, &early_state);

	if (!copies || getrandom(&copies->seed, sizeof(copies->seed), 0) != sizeof(copies->seed))
		return 0;
	for (size_t i = 0; i < copies->items.n; i++) {
		struct early_object *early = &copies->items.items[i];
		int result = copy_early(d, early);

		TRY(interrupt_check());
		if (result == 0)
			continue;
		log_info("Shared memory %" PRIu64 " (%" PRIu64 " MiB) is copied while the tasks stand still: %s",
			 (uint64_t)early->ino, early->size >> 20, strerror(-result));
		drop_copy(early);
	}
	return 0;
}

/* --- in it --- */

int memory_early_take(struct dump *d, int object, const page_range_list *segments)
{
	const struct early_copies *copies = state_find(d->states, &early_state);
	struct early_object *early;
	uint64_t changed;
	struct stat stat;
	int result;

	if (!copies || fstat(object, &stat) < 0)
		return -1;
	early = find_object(copies, &stat);
	/* Another size: rare, and what is mapped of it may end earlier. */
	if (!early || early->file < 0 ||
	    ((uint64_t)stat.st_size + page_size() - 1) / page_size() * page_size() != early->size)
		return -1;
	if (early->sealed) {
		log_info("It was sealed when it was copied: nobody can have written to it since");
		return early->file;
	}
	result = run_pass(d, early, segments, &changed);
	if (result < 0) {
		log_info("It is copied while the tasks stand still: %s", strerror(-result));
		return -1;
	}
	log_info("%" PRIu64 " of its pages were written to since it was copied", changed);
	return early->file;
}
