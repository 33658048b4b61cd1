/* SPDX-License-Identifier: GPL-2.0-only */
/* Address spaces: mappings, layout, content. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vma.pb-c.h"
#include "session/session.h"

struct lent_pages;
struct namespace;
struct page_sink;
struct passed_on;

/* Bits of vma_entry.status, as in images of CRIU 4.2. */
enum {
	VMA_REGULAR = 1 << 0,
	VMA_STACK = 1 << 1,
	VMA_VSYSCALL = 1 << 2,
	VMA_VDSO = 1 << 3,
	VMA_HEAP = 1 << 5,
	VMA_FILE_PRIVATE = 1 << 6,
	VMA_FILE_SHARED = 1 << 7,
	VMA_ANON_SHARED = 1 << 8,
	VMA_ANON_PRIVATE = 1 << 9,
	VMA_SYSVIPC = 1 << 10,
	VMA_SOCKET = 1 << 11,
	VMA_VVAR = 1 << 12,
	VMA_AIORING = 1 << 13,
	VMA_MEMFD = 1 << 14,
	VMA_SHSTK = 1 << 15,
	VMA_GUARD = 1 << 16,
	VMA_UPROBES = 1 << 17,
	VMA_EXT_PLUGIN = 1 << 27,
};

/* --- dump: the tree is stopped, no blob is in the task --- */
/* The first half of memory_dump_content() for a pre-dump: chooses pages of those mappings that can be
 * tracked ... */
int memory_dump_choose(struct dump *d, struct task *task);
/* ... and the second one, when the task runs again: it may write to them, drop them, and end. */
int memory_dump_copy(struct dump *d, struct task *task);
/* Copies all shared memory that was chosen. All pages are safe then where they are to be. */
int memory_dump_copied(struct dump *d);
/* --live: saves the memory of tasks that run on already, as it was when they stood still. */
int memory_live_save(struct dump *d);
/* The mappings of a task that stands still. By several workers at once. */
int memory_read_mappings(const struct dump *d, struct task *task);
bool memory_dump_has_chosen(const struct task *task);
/*
 * Before its pages are chosen: the task closes the trackers it has; on: it makes a new one. What the old one knows can
 * still be asked. Threads stand in their stops, and their registers are known.
 */
int memory_track_prepare(struct dump *d, struct task *task, bool on);
/* At the end: nothing is tracked by the old one any more, and by the new one, if there is one, all that is trackable.
 */
int memory_track_renew(struct dump *d, struct task *task);
/* The content of a System V segment of a namespace that is dumped. fd, of the file behind it, is taken over. */
int memory_dump_segment(const struct dump *d, int fd, int id);
/* Sends all pages that were saved, to a store that is one stream: when all other images have been sent. */
int memory_send_pages(struct dump *d);
/* What --lazy-pages has left in the stopped tasks, to be served. The dump's. */
struct page_supply *memory_lazy_supply(struct dump *d);
/* --page-server: pages go there and not to the store; it is taken over. */
void memory_dump_to_server(struct dump *d, struct page_sink *server);

/* --- restore --- */

/* One mapping to be restored. */
struct memory_mapping {
	VmaEntry *vma;
	struct file *file; /* behind it, or NULL */
	int plugin_fd;	   /* to be mapped instead of the file, or -1 */
	bool lazy;	   /* some of its pages are left to the lazy-pages daemon: lazy-restore.c */
	bool was_used;	   /* the images have pages of it, or of those on both sides of a small one */
	bool shared;	   /* its content comes from the template of all copies: template/template.h */
	bool writable;	   /* as it comes from there, also through the creator, and is not protected yet */
	uint32_t made;	   /* the protection with which its creator got it, if it is inherited: */
	bool inherited; /* the task got it from its creator by fork, with the creator's content: content.c compares */
};

/* Of a task with an address space of its own. */
struct memory_restore {
	struct memory_mapping *mappings; /* in address order; guard entries are not among them */
	size_t n;
	struct file *exe;	     /* the program, for the layout */
	uint8_t *vdso;		     /* its vdso if that is another than ours */
	void *content;		     /* of content.c */
	struct lent_pages *lent;     /* lent/lent.h; or NULL */
	struct passed_on *passed_on; /* lent/passed-on.h; or NULL */
};

static inline bool memory_is_private(const VmaEntry *vma)
{
	return vma->status & (VMA_ANON_PRIVATE | VMA_FILE_PRIVATE) &&
	       !(vma->status & (VMA_VSYSCALL | VMA_VVAR | VMA_AIORING | VMA_VDSO | VMA_EXT_PLUGIN));
}
/* Content of a shared memory object into an open descriptor of it. */
int memory_fill_object(struct restore *r, int fd, uint32_t shmid, uint64_t size);
/* The checkpoint has a memfd of this name. From restore/prepare to restore/clean. */
bool memory_has_memfd(const struct restore *r, const char *name);
/* Looks up the content of an object of memfd.img: read and checked. */
int memory_load_object(const struct restore *r, uint32_t shmid, uint64_t size);

/* criu verify: bytes in the images of private memory of a task, and of all shared memory objects. */
uint64_t memory_size_of(const struct task *task);
uint64_t memory_size_of_shared(struct restore *r, size_t *ret_objects);

/* What is known of System V segments of a namespace that is dumped: object/ipc. */
struct memory_segments {
	int (*find_size)(const struct namespace *ns, int id, uint64_t *ret);
};

extern const struct memory_segments memory_segments;
