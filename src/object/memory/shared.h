/* SPDX-License-Identifier: GPL-2.0-only */
/* Shared memory objects. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pages/save.h"

struct dump;
struct mapping;
struct restore;
struct shared_set;
struct stat;
struct task;

/* The first half for shared memory that it has mapped; called by memory_dump_choose(). */
int memory_dump_choose_shared(struct dump *d, struct task *task);
/* The file id of the memfd entry that stands for the shared anonymous memory behind a mapping (found by dev
   and inode, opened by /proc/PID/map_files). Its content is written once by memory_dump_finish(). */
int memory_dump_shared(const struct dump *d, struct task *task, const struct mapping *mapping, uint32_t *ret_file_id);
/* A memfd found through a descriptor: its inode_id in memfd.img. fd stays the caller's; it is not read
 * through. */
int memory_dump_object(const struct dump *d, int fd, const struct stat *stat, const char *name, uint32_t *ret_inode_id);
/* Content of the shared memory objects, memfd.img. When all files are known. */
int memory_dump_finish(struct dump *d);
/* --live: of those that were copied before the tasks stood still. */
int memory_dump_early(struct dump *d);

/* Is it the memory of an object that a dump saves? own_ipc: memory_has_own_ipc(). */
bool memory_is_object(const struct mapping *m, bool own_ipc);
/* Of System V shared memory; its inode is its id. */
bool memory_is_segment(const struct mapping *m);
/* Segments of criu's own namespace stay there and are not saved at all. */
bool memory_has_own_ipc(int proc);
/* For reading; -1 and errno. */
int memory_open_mapped(int proc, const struct mapping *mapping, int flags);
/* Appends the data of an object: what lies between its holes. */
int memory_find_segments(int fd, uint64_t size, page_range_list *segments);

/* Has this memfd file mappings that may be written? Its record does not always say so. When all mm are read. */
bool memory_is_mapped_writable(struct restore *r, uint32_t file_id);
void memory_restore_clean(struct restore *r); /* at the end and on failure */

struct shared_set *shared_set_of(const struct restore *r);
struct shared_set *memory_shared_set(const struct restore *r);
