/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that have a path: used by all kinds that are opened by one (fifos, terminals, tun). */
#pragma once

#include "object/file/file.h"
#include "object/mount/mount.h"

extern const struct file_kind regular_kind;

/* Dump: fills the record of a file with a path. out->id is that of the entry it belongs to. */
int regular_dump(const struct dump *d, const struct open_file *of, RegFileEntry *out);
/* Dump: an entry of its own that tells path and flags, for records that have none. */
int regular_dump_extra(const struct dump *d, const struct open_file *of, uint32_t *ret_id);

/* Restore: opens the file with the flags of the record plus more_flags, checks it against the record. Returns a new
 * descriptor. */
int regular_open(struct restore *r, const RegFileEntry *record, uint32_t more_flags, int *ret_fd);
struct open_how;

/* Restore: openat2(2) of an absolute path of the images; links that somebody else than root has put on the way since
 * the dump are not followed. -1 and errno. */
int regular_open_path(const char *path, const struct open_how *how);
/* Restore: the root directory that the path of the record begins in, -1 for ours: mount_stay_begin() goes there. */
int regular_root(const struct restore *r, const RegFileEntry *record);
/* Restore: the same on the very mount that the file was open on. */
void regular_place(const struct restore *r, const RegFileEntry *record, struct mount_place *ret);
/* Restore: the path record that another record names; refused if it is none. */
int regular_find_record(const struct restore *r, uint32_t id, const RegFileEntry **ret);

/* validate.c: the build id (GNU note) of an ELF file: length in bytes, 0 if it has none. fd is readable or O_PATH. */
#define BUILD_ID_MAX 64
int validate_read_build_id(int fd, uint8_t id[BUILD_ID_MAX]);
/* Is the open file still the one of the record? Size, permission bits, build id. */
int validate_file(const struct options *options, const RegFileEntry *record, int fd);

/* needs.c: names the file as needed, refuses if it is not there as it was. For all that is opened by regular_open(). */
int regular_need(const struct restore *r, const RegFileEntry *record);

/* deleted.c: 1 if something stands in for the path: *ret is another path, or NULL if it is made from the images. Else
 * 0. */
int deleted_find_link(const struct restore *r, const RegFileEntry *record, const RegFileEntry **ret);
/* deleted.c: opens what stands in for the path of the record; -ENOENT, unlogged, if the path itself is to be used. */
int deleted_open(struct restore *r, const RegFileEntry *record, int flags, int *ret_fd);
/* deleted.c: it lies below /proc/PID of a process that is dead: to be opened when all tasks and threads are there. */
bool deleted_is_of_dead(const struct restore *r, const RegFileEntry *record);
/* deleted.c: all files are open and all directories entered. */
void deleted_settle(struct restore *r);
/* Dump: keeps content or a name for a file whose path does not lead to it any more; may change the name in the record.
 */
int deleted_dump(const struct dump *d, const struct open_file *of, RegFileEntry *record);
int deleted_write(struct dump *d);
int deleted_prepare(const struct restore *r);
int deleted_resume(struct restore *r);
void deleted_clean(struct restore *r);
