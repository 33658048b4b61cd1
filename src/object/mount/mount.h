/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mount namespaces: what is mounted where, mountpoints-*.img. Tasks in the mount namespace of criu have none.
 *
 * Dump: each namespace is looked at from its root (mountinfo), and every mount gets a source from which it can be made
 * again: the root that --root gives, a key that the user gives (external), another mount of the same file system, or a
 * file system that is made anew, if it is a tmpfs with its content from the images. Restore: all mounts are made first,
 * attached nowhere; then each namespace is put together from its root on; then come propagation and flags. Nothing of
 * this happens in the namespace of criu, so nothing is left there after a failure.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "regfile.pb-c.h"
#include "session/session.h"

struct proc_mounts;

/* --- dump --- */
/* The root directory (O_PATH, ours, not to be closed) of the mount namespace of a task; -1 if it is that of criu. */
int mount_dump_root(const struct dump *d, const struct task *task);
/* The same of the namespace that a file was opened in, by the mount it lies on; if that is unknown, of the namespace of
 * the task. */
int mount_dump_root_of(const struct dump *d, const struct task *task, int mnt_id);
/* What a record says of the mount of a file: 0 if it is not known, or if there is but one namespace, that of criu. */
int mount_dump_id(const struct dump *d, int mnt_id);
/* It is a mount of a namespace that is saved. */
bool mount_dump_has(const struct dump *d, int mnt_id);
/* The place of the mount of a file, if it hangs nowhere: to be put in front of its path; else NULL. */
const char *mount_dump_detached(const struct dump *d, int mnt_id);
/* The kernel writes to that pipe when somebody wants what an autofs of ours has. */
bool mount_dump_has_pipe(const struct dump *d, uint64_t inode);
/* A descriptor of ours of /dev/fuse: 1: it serves a mount of the tree, whose device is told; 0: none at all; -ENOENT:
 * one that is not saved. */
int mount_dump_fuse(const struct dump *d, int fd, uint32_t *ret_dev);
/* A descriptor of /dev/fuse of a process (proc is /proc/PID): 1: it serves the file system of that device, 0: none. */
int mount_dump_fuse_device(const struct dump *d, int proc, int number, dev_t *ret);
/* Whether somebody of the tree serves file systems by FUSE: he stands still, and looking at their files waits for him;
 */
bool mount_dump_serves(const struct dump *d);
/* that of this device. */
bool mount_dump_is_served(const struct dump *d, dev_t dev);
/* The kernel's struct file behind a descriptor of ours, behind one of a task, behind a mapping of it that starts there,
 * or with start 0 behind its program: an address, which tells one from another. */
int mount_dump_fuse_own(const struct dump *d, int fd, uint64_t *ret);
int mount_dump_fuse_at(const struct dump *d, const struct task *task, int number, uint64_t *ret);
int mount_dump_fuse_mapped(const struct dump *d, const struct task *task, uint64_t start, uint64_t *ret);
/* With which flags it was opened. Refuses one that was written to by mappings, if its server does not have that yet. */
int mount_dump_fuse_flags(const struct dump *d, uint64_t file, uint32_t *ret);
/* Fills the record of a file of such a file system. */
int mount_dump_fuse_file(const struct dump *d, uint64_t file, dev_t dev, bool open, bool removed,
			 FuseFileEntry *record);
/* The mounts of the namespace of a task, NULL if it is that of criu. */
const struct proc_mounts *mount_dump_seen(const struct dump *d, const struct task *task);

/* --- restore --- */
/* The root directory (O_PATH, ours, not to be closed) of the namespace that a path of the images belongs to: that of
   the mount, or if it is unknown (0 or less) that of the root task. -1: that of criu. */
int mount_restore_root(const struct restore *r, int mnt_id);

/* Where a path of the images is to be looked up. */
struct mount_place {
	int root; /* that it begins in (mount_stay_begin); -1: ours */
	const char *path;
	bool exact; /* root is that of the mount itself. The path is "" then if only that file is mounted */
};

void mount_restore_place(const struct restore *r, int mnt_id, const char *name, struct mount_place *ret);
/* A new descriptor of the description of open_tree(2) that a mount belongs to which hangs nowhere: its root, O_PATH.
 * -ENOENT: it is no such mount. */
int mount_restore_detached(const struct restore *r, int mnt_id);
/* The file lies on that mount, or the mount is none of the images. */
bool mount_restore_is_on(const struct restore *r, int mnt_id, int fd);
/* Opens what another mount covers. path is that of an exact place. -errno, unlogged: the file system cannot. */
int mount_restore_open_covered(struct restore *r, int mnt_id, const char *path, int flags, int *ret_fd);
/* An O_PATH descriptor of the file behind fd, on that mount, wherever it lies in it. -errno, unlogged. */
int mount_restore_open_twin(const struct restore *r, int mnt_id, int fd, int *ret_fd);

/* That of the proc file system which is mounted there; NULL: that of the tree. */
const struct pid_space *mount_restore_pid_space(const struct restore *r, int mnt_id);

/* A descriptor (not to be closed) of /dev/fuse that serves the file system of that device. -ENOENT: it is not there. */
int mount_restore_fuse(const struct restore *r, uint32_t dev);
/* Opens a file of such a file system, while a process of ours answers for its server. */
int mount_restore_fuse_open(struct restore *r, int mnt_id, const FuseFileEntry *record, uint32_t flags, int *ret_fd);

struct mount_name {
	int mnt_id;
	const char *path; /* of an exact place */
};

struct mount_common {
	int root;
	char from[PATH_MAX], to[PATH_MAX];
};

/* Both paths on a mount that shows them both, so that a link can be made between them. */
bool mount_restore_common(const struct restore *r, const struct mount_name *from, const struct mount_name *to,
			  struct mount_common *ret);

/* --- both --- */

struct mount_stay {
	int root, cwd;
};

/*
 * From now on the paths that this thread opens begin in that root directory; -1: nothing changes. /proc/self is not
 * there, nor anything else of ours. To be left soon, on every way out: AUTO(mount_stay_end) struct mount_stay stay =
 * MOUNT_STAY_NOWHERE;
 */
int mount_stay_begin(int root, struct mount_stay *stay);
void mount_stay_end(struct mount_stay *stay); /* errno stays */
#define MOUNT_STAY_NOWHERE \
	{                  \
		-1, -1     \
	}

/* Ptys, for those that are mounted upon other files; by the kind of file that knows them: object/file/tty. */
struct mount_ptys {
	bool (*is_dumped)(struct dump *d, uint32_t number);
	int (*make)(struct restore *r, uint32_t number); /* a descriptor of its slave */
};

extern const struct mount_ptys mount_ptys;

/* What is in a BPF file system: object/file/bpf. root: a descriptor of its root; point: where it is mounted. */
struct mount_pins {
	int (*check)(const struct dump *d, int root, const char *point); /* refuses what cannot be saved */
	int (*save)(struct dump *d, int root, const char *point, uint32_t dev);
	int (*restore)(struct restore *r, int root, uint32_t dev);
};

extern const struct mount_pins mount_pins;
