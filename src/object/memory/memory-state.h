/* SPDX-License-Identifier: GPL-2.0-only */
/* What content.c and shared.c share. */
#pragma once

#include "base/vector.h"
#include "inventory.pb-c.h"
#include "kern/track.h"
#include "memfd.pb-c.h"
#include "pages/reader.h"
#include "pages/save.h"

/* A shared memory object to be saved: a memfd, or what is behind an anonymous shared mapping. */
struct memory_object {
	MemfdInodeEntry record;
	dev_t dev;
	int fd;
	uint32_t file_ids[2]; /* entries that stand for mappings: read-only, writable; 0 = none yet */
	bool segment;	      /* of System V shared memory: no memfd */
	bool is_early;	      /* --live: these segments are in another file, and are saved later */
	bool is_watched;      /* the same, but the segments are not known yet */
	int early;
	page_range_list segments;
};

struct memory_dump {
	struct page_mover *mover;
	struct page_sink *sink;
	struct small_tasks *small; /* content/small-tasks.c */
	bool is_expected;	   /* the meter knows how much there may be */
	struct page_once *once;	   /* --equal-pages; NULL before the first task */
	struct store *written;	   /* for it: the images of this dump, to be read */
	struct table *by_inode;	   /* dev, inode → struct memory_object */
	VECTOR(struct memory_object *) objects;
	/* track.c */
	enum tracking tracking; /* how, if it is wanted or there are parent images */
	struct store *parent;	/* images of the dump before, NULL: none */
	bool parent_elsewhere;	/* here it has no pages: what it has is known, but not what it is */
	TrackedEntry **base;	/* tasks that are tracked since then, in this run of the kernel */
	size_t n_base;
	struct table *shared_by; /* ids of kcmp_vm */
};

struct shared_set {
	struct page_mover *mover;
	struct table *readers; /* shmid → struct page_reader */
	VECTOR(struct page_reader *) open;
	bool names_others;    /* some pagemap does: page_reader.names_others */
	struct table *mapped; /* ids of memfd files that have writable mappings; NULL before anybody asks */
};
extern const struct state_type memory_restore_state;
