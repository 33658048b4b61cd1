/* SPDX-License-Identifier: GPL-2.0-only */
/* Page content on its way out: from a stopped process or a shared memory object to a sink. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vector.h"
#include "image/pagemap-image.h"
#include "pages/mover.h"
#include "pages/sink.h"

typedef VECTOR(struct page_range) page_range_list;

/*
 * In the flags of a range: its pages are shared copy-on-write with another process. process_vm_readv(2) pins pages, and
 * pinning gives the process a copy of its own (since Linux 5.19); /proc/PID/mem is slower, but leaves them shared.
 */
#define PAGE_SHARED (1u << 31)
/* The same: a restore looks at its content before there is any task. Of few pages only. */
#define PAGE_EARLY (1u << 30)

/* Memory of a process that lies in a file; what is behind the end of the file is zero. */
struct page_copy {
	uint64_t start, end; /* addresses */
	uint64_t offset;
	int fd;
};

/* Where pages come from. */
struct page_source {
	pid_t pid; /* a process: process_vm_readv, and /proc/PID/mem for what has no read permission */
	int mem;   /* /proc/PID/mem, open for reading; or, if pid is 0, a shared memory object */
	bool runs; /* the process runs: pages that are not there any more are saved as zeros */
	const struct page_copy *places; /* instead of both: all that is saved, in rising order; NULL: none */
	size_t n_places;
};

/*
 * The data of placed ranges, in blocks, to a sink that has the object open (or that wants no opening). size: of all the
 * data.
 */
int pages_copy(struct page_mover *mover, const struct page_source *source, struct page_sink *sink,
	       const struct page_range *ranges, size_t n, uint64_t size);

/* The same by one worker, as a part of a job of many objects. */
int pages_copy_alone(struct page_mover *mover, unsigned worker, const struct page_source *source,
		     struct page_sink *sink, const struct page_range *ranges, size_t n, uint64_t size);

/*
 * The beginning of pages_save(), for who copies by pages_copy_alone() and closes the sink then. *ret is told to the
 * sink, and needs page_object_done() when that is closed, also after a failure.
 */
int pages_begin(struct page_sink *sink, enum image_id id, uint64_t number, struct page_range *ranges, size_t n,
		struct page_object *ret);
void page_object_done(struct page_object *object);

/* Sets the offsets; returns the size of the pages image. */
uint64_t pages_place(struct page_range *ranges, size_t n);

/*
 * Saves an object (sink.h): all of its ranges, and the data of those that have PE_PRESENT. The ranges are sorted; their
 * offset is set here: the data of a range stands behind the data of all ranges before it.
 */
int pages_save(struct page_mover *mover, const struct page_source *source, struct page_sink *sink, enum image_id id,
	       uint64_t number, struct page_range *ranges, size_t n);
