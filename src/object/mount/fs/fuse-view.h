/* SPDX-License-Identifier: GPL-2.0-only */
/* The structures of the kernel by which a FUSE file system is seen: where their members lie, and what is in them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kern/btf.h"

struct dump;
struct peek;

/* structure, member; those that some kernels do not have are OPTIONAL. */
#define FUSE_MEMBERS(X)                              \
	X(task_struct, files, NEEDED)                \
	X(files_struct, fdt, NEEDED)                 \
	X(fdtable, fd, NEEDED)                       \
	X(file, private_data, NEEDED)                \
	X(fuse_dev, fc, NEEDED)                      \
	X(fuse_conn, dev, NEEDED)                    \
	X(fuse_conn, connected, NEEDED)              \
	X(fuse_conn, minor, NEEDED)                  \
	X(fuse_conn, max_background, NEEDED)         \
	X(fuse_conn, congestion_threshold, NEEDED)   \
	X(fuse_conn, max_write, NEEDED)              \
	X(fuse_conn, max_pages, NEEDED)              \
	X(fuse_conn, num_waiting, NEEDED)            \
	X(fuse_conn, mounts, NEEDED)                 \
	X(fuse_conn, ring, OPTIONAL)                 \
	X(fuse_mount, fc_entry, NEEDED)              \
	X(fuse_mount, sb, NEEDED)                    \
	X(super_block, s_time_gran, NEEDED)          \
	X(super_block, s_bdi, NEEDED)                \
	X(backing_dev_info, ra_pages, NEEDED)        \
	X(fuse_conn, async_read, NEEDED)             \
	X(fuse_conn, no_lock, NEEDED)                \
	X(fuse_conn, no_flock, NEEDED)               \
	X(fuse_conn, atomic_o_trunc, NEEDED)         \
	X(fuse_conn, export_support, NEEDED)         \
	X(fuse_conn, big_writes, NEEDED)             \
	X(fuse_conn, dont_mask, NEEDED)              \
	X(fuse_conn, auto_inval_data, NEEDED)        \
	X(fuse_conn, explicit_inval_data, NEEDED)    \
	X(fuse_conn, do_readdirplus, NEEDED)         \
	X(fuse_conn, readdirplus_auto, NEEDED)       \
	X(fuse_conn, async_dio, NEEDED)              \
	X(fuse_conn, writeback_cache, NEEDED)        \
	X(fuse_conn, parallel_dirops, NEEDED)        \
	X(fuse_conn, handle_killpriv, NEEDED)        \
	X(fuse_conn, handle_killpriv_v2, NEEDED)     \
	X(fuse_conn, posix_acl, NEEDED)              \
	X(fuse_conn, abort_err, NEEDED)              \
	X(fuse_conn, cache_symlinks, NEEDED)         \
	X(fuse_conn, setxattr_ext, OPTIONAL)         \
	X(fuse_conn, init_security, OPTIONAL)        \
	X(fuse_conn, create_supp_group, OPTIONAL)    \
	X(fuse_conn, direct_io_allow_mmap, OPTIONAL) \
	X(fuse_conn, passthrough, OPTIONAL)          \
	X(fuse_conn, inode_dax, OPTIONAL)            \
	X(file, f_path, NEEDED)                      \
	X(file, f_flags, NEEDED)                     \
	X(path, dentry, NEEDED)                      \
	X(dentry, d_parent, NEEDED)                  \
	X(dentry, d_name, NEEDED)                    \
	X(dentry, d_inode, NEEDED)                   \
	X(qstr, name, NEEDED)                        \
	X(qstr, len, NEEDED)                         \
	X(inode, i_mode, NEEDED)                     \
	X(inode, i_uid, NEEDED)                      \
	X(inode, i_gid, NEEDED)                      \
	X(inode, i_size, NEEDED)                     \
	X(inode, i_nlink, NEEDED)                    \
	X(inode, i_generation, NEEDED)               \
	X(inode, i_state, NEEDED)                    \
	X(fuse_inode, inode, NEEDED)                 \
	X(fuse_inode, nodeid, NEEDED)                \
	X(fuse_file, fm, NEEDED)                     \
	X(fuse_mount, fc, NEEDED)                    \
	X(fuse_file, fh, NEEDED)                     \
	X(fuse_file, open_flags, NEEDED)             \
	X(fuse_file, flock, NEEDED)                  \
	X(fuse_conn, no_open, NEEDED)                \
	X(fuse_conn, no_opendir, NEEDED)

enum fuse_place {
#define PLACE(type, member, need) AT_##type##_##member,
	FUSE_MEMBERS(PLACE)
#undef PLACE
		N_FUSE_PLACES
};

struct fuse_view {
	struct peek *peek;
	struct btf_place places[N_FUSE_PLACES];
	int error; /* of the first read that failed */
};

/* Refuses where the kernel tells nothing. error is 0 again. */
int fuse_view_get(const struct dump *d, struct fuse_view **ret);
/* The next ones note a failure in view->error, and give zeros from then on. */
void fuse_view_read(struct fuse_view *view, uint64_t address, void *to, size_t size);
/* The member of the structure at base; 0 if there is none. */
uint64_t fuse_view_member(struct fuse_view *view, uint64_t base, enum fuse_place at);
/* Where the member itself lies. */
uint64_t fuse_view_place(const struct fuse_view *view, uint64_t base, enum fuse_place at);
/* The struct file behind a descriptor of ours. */
uint64_t fuse_view_file(struct fuse_view *view, int fd);
/* Behind one of a process; proc is /proc/PID. */
int fuse_view_file_of(const struct dump *d, int proc, int number, uint64_t *ret);
/* Tells of view->error. */
int fuse_view_give_up(const struct fuse_view *view);
