/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address spaces that wait for pages. A *source* is a process of the images; the spaces that its pages go to are that
 * of the task made of it, and those that were forked from it meanwhile.
 *
 * Who may do what: the events of all spaces are read by one thread, the main one, while no other relies on where a page
 * belongs: each has a lock that it holds then (lazy-fetch.h). While an event of a space waits to be read, the kernel
 * refuses to place pages there (EAGAIN): so what we know is true whenever a page is placed.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/vector.h"
#include "pages/reader.h"

/* Pages that are wanted at an address. */
struct lazy_range {
	uint64_t start, size;
	uint64_t origin; /* its address in the images */
	uint32_t level;	 /* how old its images are: 0 for the youngest */
	bool remote;	 /* the page server has it */
	bool busy;	 /* somebody is about to fetch it */
	bool done;	 /* not wanted any more, but still in the list */
};

/* How far the background is, of what is remote or of what is not. */
struct lazy_cursor {
	uint32_t level;
	uint64_t at; /* of this level everything below is done or busy */
};

struct lazy_space {
	struct list link;
	struct lazy_source *source;
	int uffd;
	int pidfd; /* of its task, or -1: forked */
	bool gone;
	pthread_mutex_t lock;		  /* of what follows */
	VECTOR(struct lazy_range) wanted; /* sorted by start */
	size_t n_done;			  /* of these */
	uint32_t last_level;
	struct lazy_cursor cursors[2]; /* by `remote` */
	struct {
		uint64_t at, size; /* a task has waited for what is below, and may go on there; size 0: nothing */
	} ahead;
	bool moved; /* address and origin may differ */
};

struct lazy_source {
	struct list link;
	uint64_t pid;
	struct page_reader *reader; /* PAGES_LAZY */
	struct list spaces;
};

/* Makes the space of a new source. uffd and pidfd are taken over, as is the reader. */
struct lazy_source *lazy_source_create(uint64_t pid, struct page_reader *reader, int uffd, int pidfd);
void lazy_source_destroy(struct lazy_source *source);
/* A fork: the child waits for the same pages. uffd is taken over. */
struct lazy_space *lazy_space_fork(const struct lazy_space *parent, int uffd);

/* Events. */
void lazy_space_forget(struct lazy_space *space, uint64_t start, uint64_t end);
void lazy_space_move(struct lazy_space *space, uint64_t from, uint64_t to, uint64_t size);

/* What is wanted at the address: true, with a copy of its range cut to begin with that page. */
bool lazy_space_find(struct lazy_space *space, uint64_t address, struct lazy_range *ret);
/*
 * Pages (at most size bytes) that nobody fetches yet, from the page server or not: they become busy. false: there are
 * none.
 */
bool lazy_space_claim(struct lazy_space *space, bool remote, uint64_t address, uint64_t size, struct lazy_range *ret);
/* The same in the background: what follows on pages that a task has waited for. */
bool lazy_space_claim_ahead(struct lazy_space *space, bool remote, uint64_t size, struct lazy_range *ret);
/* All the rest, from the youngest images first: what was written to last was used last. */
bool lazy_space_claim_any(struct lazy_space *space, bool remote, uint64_t size, struct lazy_range *ret);
/* A task has waited for what is below this address. */
void lazy_space_look_ahead(struct lazy_space *space, uint64_t address);
bool lazy_space_wants_any(struct lazy_space *space);

/*
 * Places pages of the source wherever they are still wanted. The caller is the main thread or holds its lock.
 * Returns 0, or -EAGAIN, unlogged: an event must be read first, then again; or a failure. Spaces whose task
 * has ended are marked as gone.
 */
int lazy_source_deliver(struct lazy_source *source, uint64_t origin, const void *data, uint64_t size);
/* The page at this address is one that the images do not have. Returns as above. */
int lazy_space_zero(struct lazy_space *space, uint64_t address);
/* Nothing will come any more: who touches what is wanted gets SIGBUS, on kernels that can do that (6.6). */
void lazy_space_poison(struct lazy_space *space);
