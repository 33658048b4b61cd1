/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dump --live: which pages of shared memory are written to that no descriptor leads to: anonymous, System V. Whoever
 * changes it does so
 * - through a mapping: those of the tasks are watched by userfaultfds (kern/track.h), of each task its own, and there
 *   are no others, as the kernel counts all through which it can be written to;
 * - through a mapping that came later and may have gone: mmap(2) and shmat(2) change the time of the last access,
 *   fork(2) is counted (kern/bpf/mappers.h), mremap(2) tells our userfaultfd;
 * - by MADV_REMOVE, which tells it, too;
 * - by devices, into pages that were pinned: tasks that have what does so are not believed.
 * Whatever does not fit, all of the object counts as written to.
 */
#include "object/memory/live/mappers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/vector.h"
#include "base/workers.h"
#include "kern/bpf/mappers.h"
#include "kern/proc/maps.h"
#include "kern/proc/pagemap.h"
#include "kern/proc/proc.h"
#include "kern/track.h"
#include "object/memory/aio/aio.h"
#include "object/memory/live/listener.h"
#include "object/memory/live/writes.h"
#include "object/memory/uring/uring-wait.h"
#include "session/session.h"

/* Of an object, all mappings together. Each must be looked at, and sums of all its pages take as long as some 100
 * looks; and each has page tables for all of it afterwards: a page for 2 MiB. */
#define AREAS_MAX    1024
#define MAPPED_TIMES 32
#define MAPPED_MOST  (64ull << 30)
#define REGIONS	     512
#define CHUNK	     (64ull << 20) /* for one worker; who maps or unmaps memory waits that long: 2 ms */
#define TICKS	     3

struct mapper {
	pid_t pid;
	int uffd; /* ours alone */
	struct page_tables tables;
	_Atomic bool is_hidden; /* it may write unseen */
	bool is_asked;		/* the last time, in the freeze */
};

struct shared_area {
	pid_t pid;
	size_t object;
	uint64_t start, end, pgoff;
	dev_t dev;
	ino_t inode;
	struct mapper *mapper; /* NULL: it is not watched */
	bool is_there;	       /* and the same, when its task stands still */
};

/* What must be the same in the end. */
struct object_base {
	uint64_t forks;
	struct timespec accessed;
	off_t size;
};

struct watched_object {
	int fd; /* the caller's */
	size_t n_areas;
	uint64_t mapped; /* bytes, of all of these */
	bool is_known;	 /* all that was written to since the base was taken is known */
	struct object_base base;
};

struct memory_mappers {
	struct dump *d;
	struct mappers_watch watch; /* of the mappers, in their order */
	struct event_listener *listener;
	bool is_checked; /* the objects are still as their bases say, now that all stand still */
	VECTOR(struct watched_object) objects;
	VECTOR(struct shared_area) areas;
	VECTOR(struct mapper *) mappers;
};

struct memory_mappers *memory_mappers_create(struct dump *d)
{
	struct memory_mappers *mappers = xzalloc(sizeof(*mappers));

	mappers->d = d;
	mappers->watch = MAPPERS_NONE;
	mappers->listener = listener_create();
	return mappers;
}

void memory_mappers_add(struct memory_mappers *mappers, pid_t pid, const struct mapping *m, size_t object)
{
	if (m->vm_flags & VMF(SH)) /* else nobody can write through it, whatever mprotect(2) does */
		*vector_push(&mappers->areas) = (struct shared_area){
			.pid = pid,
			.object = object,
			.start = m->start,
			.end = m->end,
			.pgoff = m->pgoff,
			.dev = m->dev,
			.inode = m->inode,
		};
}

/* --- begin --- */

static struct mapper *find_mapper(const struct memory_mappers *mappers, pid_t pid)
{
	for (size_t i = 0; i < mappers->mappers.n; i++)
		if (mappers->mappers.items[i]->pid == pid)
			return mappers->mappers.items[i];
	return NULL;
}

static int start_mapper(struct dump *d, struct mapper *mapper)
{
	AUTO(mappings_done) struct mappings mappings = { 0 };
	AUTO_CLOSE int proc = proc_open(mapper->pid);

	TRY(proc);
	TRY(mappings_read_running(proc, MAPPINGS_PLAIN, &mappings));
	mapper->is_hidden = memory_writes_are_hidden(proc, &mappings);
	if (mapper->is_hidden)
		return -EOPNOTSUPP;
	mapper->uffd = memory_writes_userfaultfd(d, mapper->pid, proc, &mappings);
	TRY(mapper->uffd);
	TRY(tracker_start_telling(mapper->uffd));
	TRY(pagemap_open(&mapper->tables, proc));
	return mapper->tables.has_scan ? 0 : -EOPNOTSUPP;
}

/* NULL: it cannot be watched. */
static struct mapper *get_mapper(struct memory_mappers *mappers, pid_t pid, int *ret_error)
{
	struct mapper *mapper = find_mapper(mappers, pid);

	*ret_error = 0;
	if (!mapper) {
		mapper = xzalloc(sizeof(*mapper));
		mapper->pid = pid;
		mapper->uffd = mapper->tables.fd = -1;
		*vector_push(&mappers->mappers) = mapper;
		*ret_error = start_mapper(mappers->d, mapper);
		if (*ret_error < 0) {
			log_info("What task %d writes to shared memory cannot be watched: %s", pid,
				 strerror(-*ret_error));
			mapper->is_hidden = true;
		}
	}
	return mapper->is_hidden ? NULL : mapper;
}

static int find_mapper_of(struct memory_mappers *mappers, struct shared_area *area)
{
	int error;

	area->mapper = get_mapper(mappers, area->pid, &error);
	return error == -ETIMEDOUT ? error : 0;
}

/* The areas from this one on that lie side by side; returns which one is behind them. What was several mappings may be
 * one by now, and must not be cut: mremap(2) takes only what is one. */
static size_t end_of_run(const struct memory_mappers *mappers, size_t first)
{
	const struct shared_area *areas = mappers->areas.items;
	size_t next = first + 1;

	while (next < mappers->areas.n && areas[next].mapper == areas[first].mapper &&
	       areas[next].start == areas[next - 1].end)
		next++;
	return next;
}

static void watch_areas(struct memory_mappers *mappers, size_t first, size_t next)
{
	const struct mapper *mapper = mappers->areas.items[first].mapper;
	const uint64_t start = mappers->areas.items[first].start, end = mappers->areas.items[next - 1].end;

	if (mapper && tracker_watch(mapper->uffd, start, end) == 0 &&
	    tracker_forget(mapper->uffd, &mapper->tables, start, end) == 0)
		return;
	for (size_t i = first; i < next; i++)
		mappers->areas.items[i].mapper = NULL; /* one is not there any more, or somebody else watches it */
}

static int start_listening(struct memory_mappers *mappers)
{
	for (size_t i = 0; i < mappers->mappers.n; i++)
		listener_add(mappers->listener, mappers->mappers.items[i]->uffd, &mappers->mappers.items[i]->is_hidden);
	return listener_start(mappers->listener);
}

static int start_counting(struct memory_mappers *mappers)
{
	pid_t *pids = xzalloc((mappers->mappers.n + 1) * sizeof(*pids));
	int error = mappers->mappers.n ? 0 : -ENOENT;

	for (size_t i = 0; i < mappers->mappers.n; i++)
		pids[i] = mappers->mappers.items[i]->pid;
	if (error == 0)
		error = mappers_watch_open(&mappers->watch, pids, mappers->mappers.n);
	free(pids);
	return error;
}

static void count_area(struct memory_mappers *mappers, const struct shared_area *area)
{
	struct watched_object *object = &mappers->objects.items[area->object];

	object->n_areas++;
	object->mapped += area->end - area->start;
}

static bool is_worth_it(const struct watched_object *object)
{
	struct stat stat;

	return fstat(object->fd, &stat) == 0 && object->n_areas <= AREAS_MAX && object->mapped <= MAPPED_MOST &&
	       object->mapped / MAPPED_TIMES <= (uint64_t)stat.st_size;
}

/* Nothing is watched before somebody listens. */
int memory_mappers_begin(struct memory_mappers *mappers, const int *objects, size_t n)
{
	int error;

	for (size_t i = 0; i < n; i++)
		*vector_push(&mappers->objects) = (struct watched_object){ .fd = objects[i] };
	for (size_t i = 0; i < mappers->areas.n; i++)
		count_area(mappers, &mappers->areas.items[i]);
	for (size_t i = 0; i < mappers->areas.n; i++)
		if (is_worth_it(&mappers->objects.items[mappers->areas.items[i].object]))
			TRY(find_mapper_of(mappers, &mappers->areas.items[i]));
	error = start_counting(mappers);
	if (error == 0)
		error = start_listening(mappers);
	if (error < 0) {
		log_info("Who maps shared memory cannot be watched: %s", strerror(-error));
		mappers_watch_close(&mappers->watch);
		return 0;
	}
	for (size_t i = 0, next; i < mappers->areas.n; i = next) {
		next = end_of_run(mappers, i);
		watch_areas(mappers, i, next);
	}
	return 0;
}

/* --- what was written to --- */

struct mappers_look {
	struct memory_mappers *mappers;
	bool protects;
	struct chunk {
		const struct shared_area *area;
		uint64_t start, end;
		page_range_list written; /* in the object */
	} * chunks;
	size_t n;
};

/*
 * Written to, or not there: what was written to and dropped since leaves no other trace. A mark in an empty place,
 * which looks like a swapped page, tells that nothing was written to there.
 */
static int look_at_chunk(void *arg, size_t item, unsigned worker)
{
	struct mappers_look *look = arg;
	const struct pagemap_filter filter = {
		.inverted = PAGE_IS_PRESENT,
		.any = PAGE_IS_PRESENT | PAGE_IS_WRITTEN,
		.ret = PAGE_IS_SWAPPED | PAGE_IS_WRITTEN,
		.flags = look->protects ? PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC : 0,
	};
	struct chunk *chunk = &look->chunks[item];
	const struct shared_area *area = chunk->area;
	struct page_region regions[REGIONS];

	for (uint64_t at = chunk->start; at < chunk->end;) {
		ssize_t n = pagemap_scan(&area->mapper->tables, &at, chunk->end, &filter, regions, REGIONS);

		TRY(n);
		for (ssize_t i = 0; i < n; i++)
			if (regions[i].categories != PAGE_IS_SWAPPED)
				*vector_push(&chunk->written) = (struct page_range){
					.start = regions[i].start - area->start + area->pgoff,
					.nr_pages = (regions[i].end - regions[i].start) / page_size(),
					.flags = PE_PRESENT,
				};
	}
	return 0;
}

static void add_chunks(struct mappers_look *look, const struct shared_area *area)
{
	for (uint64_t at = area->start; at < area->end; at += CHUNK)
		look->chunks[look->n++] = (struct chunk){
			.area = area,
			.start = at,
			.end = area->end - at < CHUNK ? area->end : at + CHUNK,
		};
}

static int compare_ranges(const void *a, const void *b)
{
	const struct page_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Several may have written to a page. */
static void join_ranges(page_range_list *ranges)
{
	size_t n = 0;

	if (ranges->n)
		qsort(ranges->items, ranges->n, sizeof(*ranges->items), compare_ranges);
	for (size_t i = 0; i < ranges->n; i++) {
		const struct page_range *next = &ranges->items[i];
		struct page_range *last = n ? &ranges->items[n - 1] : NULL;

		if (last && next->start <= last->start + last->nr_pages * page_size()) {
			const uint64_t pages = (next->start - last->start) / page_size() + next->nr_pages;

			last->nr_pages = pages > last->nr_pages ? pages : last->nr_pages;
			continue;
		}
		ranges->items[n++] = *next;
	}
	ranges->n = n;
}

/* In all mappings of an object. */
static int look_at_object(struct memory_mappers *mappers, size_t object, bool protects, page_range_list *ret)
{
	struct mappers_look look = { .mappers = mappers, .protects = protects };
	size_t n = 0;
	int result;

	for (size_t i = 0; i < mappers->areas.n; i++)
		n += (mappers->areas.items[i].end - mappers->areas.items[i].start + CHUNK - 1) / CHUNK;
	look.chunks = xzalloc(n * sizeof(*look.chunks));
	for (size_t i = 0; i < mappers->areas.n; i++)
		if (mappers->areas.items[i].object == object && mappers->areas.items[i].mapper)
			add_chunks(&look, &mappers->areas.items[i]);
	result = workers_run(mappers->d->workers, look.n, look_at_chunk, &look);
	for (size_t i = 0; i < look.n; i++) {
		for (size_t k = 0; k < look.chunks[i].written.n; k++)
			*vector_push(ret) = look.chunks[i].written.items[k];
		vector_done(&look.chunks[i].written);
	}
	free(look.chunks);
	join_ranges(ret);
	return result;
}

/* --- whether that is all --- */

static int read_base(const struct memory_mappers *mappers, size_t object, struct object_base *ret)
{
	struct stat stat;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < mappers->mappers.n; i++) {
		uint64_t forks;

		TRY(mappers_watch_forks(&mappers->watch, i, &forks));
		ret->forks += forks; /* also of those that do not map it: it is simpler */
	}
	if (fstat(mappers->objects.items[object].fd, &stat) < 0)
		return -errno;
	ret->accessed = stat.st_atim;
	ret->size = stat.st_size;
	return 0;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* The kernel's clock for files goes in steps: who maps it in the same one leaves the time as it is. So a base is good
 * only if that has passed. */
static int take_base(const struct memory_mappers *mappers, size_t object, struct object_base *ret)
{
	struct timespec now;

	for (unsigned i = 0; i < TICKS; i++) {
		TRY(read_base(mappers, object, ret));
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		if (is_before(&ret->accessed, &now))
			return 0;
		usleep(10000);
	}
	return -EAGAIN;
}

static bool is_same(const struct object_base *a, const struct object_base *b)
{
	return a->forks == b->forks && a->size == b->size && a->accessed.tv_sec == b->accessed.tv_sec &&
	       a->accessed.tv_nsec == b->accessed.tv_nsec;
}

/* Each way to write to it is one that is watched. */
static bool are_all_watched(struct memory_mappers *mappers, size_t object)
{
	const struct watched_object *watched = &mappers->objects.items[object];
	uint32_t writable;

	for (size_t i = 0; i < mappers->areas.n; i++) {
		const struct shared_area *area = &mappers->areas.items[i];

		if (area->object == object && (!area->mapper || area->mapper->is_hidden))
			return false;
	}
	return mappers_count_writable(&mappers->watch, watched->fd, &writable) == 0 && writable == watched->n_areas;
}

bool memory_mappers_take(struct memory_mappers *mappers, size_t object, page_range_list *ret)
{
	struct watched_object *watched = &mappers->objects.items[object];
	const struct object_base before = watched->base;
	const bool was_known = watched->is_known;

	watched->is_known = false;
	if (mappers->watch.map < 0 || take_base(mappers, object, &watched->base) < 0 ||
	    !are_all_watched(mappers, object) || look_at_object(mappers, object, true, ret) < 0)
		return false;
	watched->is_known = true;
	return was_known && is_same(&before, &watched->base);
}

bool memory_mappers_know(const struct memory_mappers *mappers, size_t object)
{
	return mappers->objects.items[object].is_known;
}

void memory_mappers_look_again(struct memory_mappers *mappers)
{
	static const struct mappings none;

	for (size_t i = 0; i < mappers->mappers.n; i++) {
		struct mapper *mapper = mappers->mappers.items[i];
		AUTO_CLOSE int proc = proc_open(mapper->pid);

		if (proc < 0 || memory_writes_are_hidden(proc, &none))
			mapper->is_hidden = true;
	}
}

/* --- the last time --- */

void memory_mappers_check(struct memory_mappers *mappers)
{
	for (size_t i = 0; i < mappers->objects.n && !mappers->is_checked; i++) {
		struct watched_object *watched = &mappers->objects.items[i];
		struct object_base now;

		watched->is_known =
			watched->is_known && read_base(mappers, i, &now) == 0 && is_same(&watched->base, &now);
	}
	mappers->is_checked = true;
}

static void find_area(struct memory_mappers *mappers, pid_t pid, const struct mapping *m)
{
	for (size_t i = 0; i < mappers->areas.n; i++) {
		struct shared_area *area = &mappers->areas.items[i];

		area->is_there |= area->pid == pid && area->start == m->start && area->end == m->end &&
				  area->pgoff == m->pgoff && area->dev == m->dev && area->inode == m->inode;
	}
}

void memory_mappers_find(struct memory_mappers *mappers, struct task *task)
{
	const struct mapper *mapper = find_mapper(mappers, task->pid);

	for (size_t i = 0; mapper && mapper->uffd >= 0 && i < task->dump->mappings.n; i++) {
		struct mapping *m = &task->dump->mappings.items[i];

		if (!m->shared || !(m->vm_flags & VMF(UW)) || m->vm_flags & (VMF(UM) | VMF(UI)) ||
		    tracker_watch(mapper->uffd, m->start, m->end) < 0)
			continue;
		m->vm_flags &= ~VMF(UW);
		find_area(mappers, task->pid, m);
	}
}

static bool has_hidden_writer(const struct memory_mappers *mappers, pid_t pid)
{
	struct task *task;

	for_each_task(task, mappers->d->tree) {
		if (task->pid != pid || !task_is_live(task))
			continue;
		for (size_t i = 0; i < task->dump->mappings.n; i++)
			if (aio_is_ring(&task->dump->mappings.items[i]))
				return true;
		return uring_may_write(mappers->d, task);
	}
	return true;
}

static bool may_have_written(const struct memory_mappers *mappers, struct mapper *mapper)
{
	if (!mapper->is_asked && has_hidden_writer(mappers, mapper->pid))
		mapper->is_hidden = true;
	mapper->is_asked = true;
	return mapper->is_hidden;
}

bool memory_mappers_take_last(struct memory_mappers *mappers, size_t object, page_range_list *ret)
{
	if (!mappers->is_checked || !mappers->objects.items[object].is_known)
		return false;
	for (size_t i = 0; i < mappers->areas.n; i++) {
		const struct shared_area *area = &mappers->areas.items[i];

		if (area->object != object)
			continue;
		if (!area->is_there || may_have_written(mappers, area->mapper))
			return false;
	}
	return look_at_object(mappers, object, false, ret) == 0;
}

/* --- end --- */

/* Somebody listens until nobody has anything to tell. What was moved is watched wherever it is: there it all ends at
 * once. */
void memory_mappers_end(struct memory_mappers *mappers)
{
	for (size_t i = 0, next; i < mappers->areas.n; i = next) {
		const struct shared_area *area = &mappers->areas.items[i];

		next = end_of_run(mappers, i);
		if (area->mapper && area->mapper->uffd >= 0 && !area->mapper->is_hidden)
			memory_writes_leave(area->mapper->uffd, area->start, mappers->areas.items[next - 1].end);
	}
	listener_stop(mappers->listener);
	for (size_t i = 0; i < mappers->mappers.n; i++)
		if (mappers->mappers.items[i]->uffd >= 0)
			close(TAKE_FD(mappers->mappers.items[i]->uffd));
	mappers_watch_close(&mappers->watch);
}

void memory_mappers_destroy(struct memory_mappers **ref)
{
	struct memory_mappers *mappers = TAKE_PTR(*ref);

	if (!mappers)
		return;
	memory_mappers_end(mappers);
	listener_destroy(&mappers->listener);
	for (size_t i = 0; i < mappers->mappers.n; i++) {
		if (mappers->mappers.items[i]->tables.fd >= 0)
			pagemap_close(&mappers->mappers.items[i]->tables);
		free(mappers->mappers.items[i]);
	}
	vector_done(&mappers->mappers);
	vector_done(&mappers->areas);
	vector_done(&mappers->objects);
	free(mappers);
}
