/* SPDX-License-Identifier: GPL-2.0-only */
/* Address spaces: mappings, layout, content. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vma.pb-c.h"
#include "plan/plan.h"
#include "session/session.h"

struct namespace;
struct page_sink;

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

/* mappings.c: classifies task->dump->mappings into task->mm->vmas (guard entries, if any, stand at the end). Refuses
 * what cannot be saved. */
int memory_dump_mappings(const struct dump *d, struct task *task);
/* content.c: the first half of memory_dump_content() for a pre-dump: chooses pages of those mappings that can be
 * tracked ... */
int memory_dump_choose(struct dump *d, struct task *task);
/* ... and the second one, when the task runs again: it may write to them, drop them, and end. */
int memory_dump_copy(struct dump *d, struct task *task);
/* shared.c: the first half for shared memory that it has mapped; called by memory_dump_choose(). */
int memory_dump_choose_shared(struct dump *d, struct task *task);
/* shared.c: copies all shared memory that was chosen. All pages are safe then where they are to be. */
int memory_dump_copied(struct dump *d);
/* --live: saves the private memory of tasks that run on already, as it was when they stood still. */
int memory_live_save(struct dump *d);
void memory_live_end(struct dump *d); /* nothing of it is left in the tasks; at the end and on failure */
bool memory_dump_has_chosen(const struct task *task);
/* track.c: reads what is needed of the parent images, before anything stands still. Refuses what this kernel cannot do.
 */
int memory_track_begin(struct dump *d);
/* When the mappings are known: those that criu itself watches are marked, and lose VMF(UW). */
int memory_track_find(const struct dump *d, struct task *task);
/*
 * Before its pages are chosen: the task closes the trackers it has; on: it makes a new one. What the old one knows can
 * still be asked. Threads stand in their stops, and their registers are known.
 */
int memory_track_prepare(struct dump *d, struct task *task, bool on);
/* At the end: nothing is tracked by the old one any more, and by the new one, if there is one, all that is trackable.
 */
int memory_track_renew(struct dump *d, struct task *task);
bool memory_is_trackable(const struct mapping *m);
/* compare.c: whether its small mappings are compared and not watched, and so whether this one is to be watched. */
bool memory_compares_small(const struct task *task);
bool memory_is_watchable(const struct mapping *m, bool compares_small);
/* content.c: chooses and writes the private pages of the task: pagemap-PID, pages-N. */
int memory_dump_content(struct dump *d, struct task *task);
/* shared.c: the file id of the memfd entry that stands for the shared anonymous memory behind a mapping (found by dev
   and inode, opened by /proc/PID/map_files). Its content is written once by memory_dump_finish(). */
int memory_dump_shared(const struct dump *d, struct task *task, const struct mapping *mapping, uint32_t *ret_file_id);
/* shared.c: a memfd found through a descriptor: its inode_id in memfd.img. fd stays the caller's; it is not read
 * through. */
int memory_dump_object(const struct dump *d, int fd, const struct stat *stat, const char *name, uint32_t *ret_inode_id);
/* shared.c: the content of a System V segment of a namespace that is dumped. fd, of the file behind it, is taken over.
 */
int memory_dump_segment(const struct dump *d, int fd, int id);
/* stream.c: sends all pages that were saved, to a store that is one stream: when all other images have been sent. */
int memory_send_pages(struct dump *d);
/* Content of the shared memory objects, memfd.img. When all files are known. */
int memory_dump_finish(struct dump *d);
/* lazy-dump.c: what --lazy-pages has left in the stopped tasks, to be served. The dump's. */
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
	bool inherited; /* the task got it from its creator by fork, with the creator's content: content.c compares */
};

/* Of a task with an address space of its own. */
struct memory_restore {
	struct memory_mapping *mappings; /* in address order; guard entries are not among them */
	size_t n;
	struct file *exe; /* the program, for the layout */
	uint8_t *vdso;	  /* its vdso if that is another than ours */
	void *content;	  /* of content.c */
};

/* NULL before restore/link. */
struct memory_restore *memory_restore_of(const struct task *task);

static inline bool memory_is_private(const VmaEntry *vma)
{
	return vma->status & (VMA_ANON_PRIVATE | VMA_FILE_PRIVATE) &&
	       !(vma->status & (VMA_VSYSCALL | VMA_VVAR | VMA_AIORING | VMA_VDSO | VMA_EXT_PLUGIN));
}

int memory_restore_load(
	const struct restore *r); /* mm, pagemaps of all tasks: read, checked, files of mappings declared as used */
/* content.c: reads and checks the pagemap of a task; its mappings are known already. Called by
 * memory_restore_load(). */
int memory_load_content(const struct restore *r, struct task *task);
/* An address range that is free in all tasks to be made and in this program, of the largest of these sizes that there
 * is, and some more. Where there are 32-bit programs it lies where they can see it. */
int memory_find_hole(struct restore *r, uint64_t largest, uint64_t smallest, uint64_t more, uint64_t *ret,
		     uint64_t *ret_size);
/* One that this task leaves free, with the arena; compat: where a 32-bit program can see it. */
int memory_find_place(const struct restore *r, const struct memory_restore *memory, uint64_t size, bool compat,
		      uint64_t *ret);
/* First steps of the root task: keeps the vdso of this kernel at r->parking, drops all else but the arena. */
int memory_plan_empty(struct restore *r, struct plan *plan);
/* lazy-restore.c: first steps of a task that gets memory of its own: no huge pages if a userfaultfd will bring what is
 * missing, ours or the program's. They are allowed again with what the task had set itself (prctl.def), or before. */
void memory_lazy_plan(const struct restore *r, const struct memory_restore *memory, struct plan *plan);
/* Steps run when the task has nothing but the arena and the parked vdso (or what it inherited from its creator by
   fork): maps its private mappings at their places, anonymous ones writable: memory_plan_rest() protects them when they
   are filled. */
int memory_plan_private(struct restore *r, struct task *task, struct plan *plan);
/* [coordinator] content.c: fills the private mappings from outside; pages that the task inherited and that are equal
   stay shared, inherited pages without an entry in the images become absent again. May run plans in
   task->leader->remote. */
int memory_fill(struct restore *r, struct task *task);
/* Steps that map everything else (shared, SysV, vdso), madvise, mlock, guard pages. */
int memory_plan_rest(struct restore *r, struct task *task, struct plan *plan);
/* After these plans ran: gives the files of the mappings back. */
void memory_private_done(struct restore *r, struct task *task);
void memory_rest_done(struct restore *r, struct task *task);
/* shared.c: content of a shared memory object into an open descriptor of it. */
int memory_fill_object(struct restore *r, int fd, uint32_t shmid, uint64_t size);
/* memfd.c: the checkpoint has a memfd of this name. From restore/prepare to restore/clean. */
bool memory_has_memfd(const struct restore *r, const char *name);
/* shared.c: looks up the content of an object of memfd.img: read and checked. */
int memory_load_object(const struct restore *r, uint32_t shmid, uint64_t size);
/* shared.c: has this memfd file mappings that may be written? Its record does not always say so. When all mm are read.
 */
bool memory_is_mapped_writable(struct restore *r, uint32_t file_id);
/* criu verify: bytes in the images of private memory of a task, and of all shared memory objects. */

/* --- restore with --lazy-pages: lazy-restore.c; without it these do nothing --- */

/* Connects to the daemon: before any task is made. */
int memory_lazy_begin(struct restore *r);
/* When the task has all of its children: from here on its lazy memory is the daemon's. */
int memory_lazy_register(struct restore *r, struct task *task);
/* All tasks run. */
void memory_lazy_finish(struct restore *r);
uint64_t memory_size_of(const struct task *task);
uint64_t memory_size_of_shared(struct restore *r, size_t *ret_objects);
/* criu verify: the kernel features that only some mappings need. */
void memory_restore_needs(const struct restore *r);
void memory_restore_clean(struct restore *r); /* at the end and on failure */

/* What is known of System V segments of a namespace that is dumped: object/ipc. */
struct memory_segments {
	int (*find_size)(const struct namespace *ns, int id, uint64_t *ret);
};

extern const struct memory_segments memory_segments;
