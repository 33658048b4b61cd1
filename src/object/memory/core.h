/* SPDX-License-Identifier: GPL-2.0-only */
/* What content.c and shared.c share. */
#pragma once

#include "base/table.h"
#include "base/vector.h"
#include "inventory.pb-c.h"
#include "kern/track.h"
#include "memfd.pb-c.h"
#include "object/memory/memory.h"
#include "pages/fill.h"
#include "pages/mover.h"
#include "pages/reader.h"
#include "pages/save.h"
#include "session/stats.h"

/* A shared memory object to be saved: a memfd, or what is behind an anonymous shared mapping. */
struct memory_object {
	MemfdInodeEntry record;
	dev_t dev;
	int fd;
	uint32_t file_ids[2]; /* entries that stand for mappings: read-only, writable; 0 = none yet */
	bool segment;	      /* of System V shared memory: no memfd */
};

struct memory_dump {
	struct page_mover *mover;
	struct page_sink *sink;
	struct table *by_inode; /* dev, inode → struct memory_object */
	VECTOR(struct memory_object *) objects;
	/* track.c */
	enum tracking tracking; /* how, if it is wanted or there are parent images */
	struct store *parent;	/* images of the dump before, NULL: none */
	bool parent_elsewhere;	/* here it has no pages: what it has is known, but not what it is */
	TrackedEntry **base;	/* tasks that are tracked since then, in this run of the kernel */
	size_t n_base;
	struct table *shared_by; /* ids of kcmp_vm */
};

/* track.c: what is known of the memory of a task. */
struct task_tracking {
	bool unwritten_known; /* pages of tracked mappings that were not written to are as the parent images have them
			       */
	bool soft_dirty;      /* the soft-dirty bits tell it, of all mappings that can be tracked */
	bool prepared;	      /* the rest is set */
	int old;	      /* our copy of the tracker before, or -1 */
	int64_t number;	      /* of the new one in the task, or -errno */
};

struct shared_set {
	struct page_mover *mover;
	struct table *readers; /* shmid → struct page_reader */
	VECTOR(struct page_reader *) open;
	struct table *mapped; /* ids of memfd files that have writable mappings; NULL before anybody asks */
};

/* Made at the first call. */
struct task_tracking *task_tracking_of(const struct task *task);

/* NULL before the first call of the functions below. */
struct memory_dump *memory_dump_of(const struct dump *d);
struct shared_set *shared_set_of(const struct restore *r);
/* All are made at the first call. */
struct memory_dump *memory_dump_state(const struct dump *d);
struct shared_set *memory_shared_set(const struct restore *r);
struct page_mover *memory_mover(const struct restore *r);
/* Where pages go: to a server, else to the store. */
struct page_sink *memory_sink(struct dump *d);
extern const struct state_type memory_restore_state;
