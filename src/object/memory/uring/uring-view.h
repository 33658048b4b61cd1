/* SPDX-License-Identifier: GPL-2.0-only */
/* The structures of the kernel by which an io_uring is seen: where their members lie, and what is in them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kern/btf.h"

struct dump;
struct peek;

/* structure, member; those that some kernels do not have are OPTIONAL. */
#define MEMBERS(X)                                    \
	X(task_struct, files, NEEDED)                 \
	X(task_struct, thread_pid, NEEDED)            \
	X(task_struct, io_uring, NEEDED)              \
	X(io_uring_task, registered_rings, NEEDED)    \
	X(io_tctx_node, ctx_node, NEEDED)             \
	X(io_tctx_node, task, NEEDED)                 \
	X(io_ring_ctx, tctx_list, NEEDED)             \
	X(files_struct, fdt, NEEDED)                  \
	X(fdtable, fd, NEEDED)                        \
	X(file, private_data, NEEDED)                 \
	X(pid, level, NEEDED)                         \
	X(pid, numbers, NEEDED)                       \
	X(upid, nr, NEEDED)                           \
	X(io_ring_ctx, flags, NEEDED)                 \
	X(io_ring_ctx, restrictions, NEEDED)          \
	X(io_restriction, registered, NEEDED)         \
	X(io_ring_ctx, drain_active, NEEDED)          \
	X(io_ring_ctx, drain_disabled, OPTIONAL)      \
	X(io_ring_ctx, compat, NEEDED)                \
	X(io_ring_ctx, submitter_task, NEEDED)        \
	X(io_ring_ctx, rings, NEEDED)                 \
	X(io_ring_ctx, sq_array, NEEDED)              \
	X(io_ring_ctx, sq_sqes, NEEDED)               \
	X(io_ring_ctx, cached_sq_head, NEEDED)        \
	X(io_ring_ctx, sq_entries, NEEDED)            \
	X(io_ring_ctx, file_table, NEEDED)            \
	X(io_ring_ctx, buf_table, NEEDED)             \
	X(io_ring_ctx, submit_state, NEEDED)          \
	X(io_ring_ctx, io_bl_xa, NEEDED)              \
	X(io_ring_ctx, cancel_table, NEEDED)          \
	X(io_ring_ctx, cached_cq_tail, NEEDED)        \
	X(io_ring_ctx, cq_entries, NEEDED)            \
	X(io_ring_ctx, io_ev_fd, NEEDED)              \
	X(io_ring_ctx, timeout_list, NEEDED)          \
	X(io_ring_ctx, cq_overflow_list, NEEDED)      \
	X(io_ring_ctx, personalities, NEEDED)         \
	X(io_ring_ctx, zcrx_ctxs, OPTIONAL)           \
	X(io_ring_ctx, clockid, OPTIONAL)             \
	X(io_ring_ctx, iowq_limits_set, NEEDED)       \
	X(io_ring_ctx, napi_track_mode, OPTIONAL)     \
	X(io_ring_ctx, param_region, OPTIONAL)        \
	X(io_ring_ctx, nr_req_allocated, NEEDED)      \
	X(io_mapped_region, ptr, OPTIONAL)            \
	X(io_rsrc_data, nr, NEEDED)                   \
	X(io_file_table, data, NEEDED)                \
	X(xarray, xa_head, NEEDED)                    \
	X(io_submit_state, free_list, NEEDED)         \
	X(io_wq_work_node, next, NEEDED)              \
	X(io_rings, cqes, NEEDED)                     \
	X(io_rings, cq_overflow, NEEDED)              \
	X(io_hash_table, hbs, NEEDED)                 \
	X(io_hash_table, hash_bits, NEEDED)           \
	X(hlist_node, next, NEEDED)                   \
	X(list_head, next, NEEDED)                    \
	X(io_kiocb, opcode, NEEDED)                   \
	X(io_kiocb, hash_node, NEEDED)                \
	X(io_timeout, list, NEEDED)                   \
	X(io_kiocb, cmd, NEEDED)                      \
	X(io_kiocb, flags, NEEDED)                    \
	X(io_kiocb, cqe, NEEDED)                      \
	X(io_kiocb, tctx, NEEDED)                     \
	X(io_kiocb, link, NEEDED)                     \
	X(io_kiocb, async_data, NEEDED)               \
	X(io_kiocb, file, NEEDED)                     \
	X(io_kiocb, ctx, NEEDED)                      \
	X(io_cqe, user_data, NEEDED)                  \
	X(io_cqe, fd, NEEDED)                         \
	X(io_uring_task, task, NEEDED)                \
	X(io_poll, events, NEEDED)                    \
	X(io_accept, addr, NEEDED)                    \
	X(io_accept, addr_len, NEEDED)                \
	X(io_accept, flags, NEEDED)                   \
	X(io_accept, iou_flags, NEEDED)               \
	X(io_accept, file_slot, NEEDED)               \
	X(io_sr_msg, buf, NEEDED)                     \
	X(io_sr_msg, len, NEEDED)                     \
	X(io_sr_msg, done_io, NEEDED)                 \
	X(io_sr_msg, msg_flags, NEEDED)               \
	X(io_sr_msg, flags, NEEDED)                   \
	X(io_rw, addr, NEEDED)                        \
	X(io_rw, len, NEEDED)                         \
	X(io_rw, flags, NEEDED)                       \
	X(io_timeout, off, NEEDED)                    \
	X(io_timeout, head, NEEDED)                   \
	X(io_timeout_data, timer, NEEDED)             \
	X(io_timeout_data, flags, NEEDED)             \
	X(hrtimer, node, NEEDED)                      \
	X(timerqueue_node, expires, NEEDED)           \
	X(fdtable, max_fds, NEEDED)                   \
	X(io_rsrc_data, nodes, NEEDED)                \
	X(io_rsrc_node, file_ptr, NEEDED)             \
	X(io_rsrc_node, tag, NEEDED)                  \
	X(io_rsrc_node, buf, NEEDED)                  \
	X(io_mapped_ubuf, ubuf, NEEDED)               \
	X(io_mapped_ubuf, len, NEEDED)                \
	X(io_mapped_ubuf, nr_bvecs, NEEDED)           \
	X(io_mapped_ubuf, is_kbuf, OPTIONAL)          \
	X(io_mapped_ubuf, bvec, NEEDED)               \
	X(bio_vec, bv_page, NEEDED)                   \
	X(bio_vec, bv_len, NEEDED)                    \
	X(bio_vec, bv_offset, NEEDED)                 \
	X(io_ring_ctx, ring_region, NEEDED)           \
	X(io_mapped_region, pages, NEEDED)            \
	X(file, f_inode, NEEDED)                      \
	X(inode, i_mode, NEEDED)                      \
	X(socket, type, NEEDED)                       \
	X(socket, sk, NEEDED)                         \
	X(sock_common, skc_family, NEEDED)            \
	X(io_ring_ctx, sq_data, NEEDED)               \
	X(io_ring_ctx, sq_creds, NEEDED)              \
	X(io_ring_ctx, sq_thread_idle, NEEDED)        \
	X(io_sq_data, thread, NEEDED)                 \
	X(io_sq_data, sq_cpu, NEEDED)                 \
	X(task_struct, group_leader, NEEDED)          \
	X(task_struct, cred, NEEDED)                  \
	X(io_ring_ctx, work_llist, NEEDED)            \
	X(io_uring_task, task_list, NEEDED)           \
	X(llist_head, first, NEEDED)                  \
	X(llist_node, next, NEEDED)                   \
	X(io_kiocb, io_task_work, NEEDED)             \
	X(io_task_work, node, NEEDED)                 \
	X(io_timeout, prev, NEEDED)                   \
	X(xa_node, slots, NEEDED)                     \
	X(io_buffer_list, buf_list, NEEDED)           \
	X(io_buffer_list, buf_ring, NEEDED)           \
	X(io_buffer_list, bgid, NEEDED)               \
	X(io_buffer_list, nr_entries, NEEDED)         \
	X(io_buffer_list, head, NEEDED)               \
	X(io_buffer_list, flags, NEEDED)              \
	X(io_buffer_list, min_left_sub_one, OPTIONAL) \
	X(io_buffer_list, region, NEEDED)             \
	X(io_mapped_region, nr_pages, NEEDED)         \
	X(io_mapped_region, flags, NEEDED)            \
	X(io_buffer, list, NEEDED)                    \
	X(io_buffer, addr, NEEDED)                    \
	X(io_buffer, len, NEEDED)                     \
	X(io_buffer, bid, NEEDED)                     \
	X(io_sr_msg, buf_group, NEEDED)               \
	X(io_sr_msg, mshot_len, OPTIONAL)             \
	X(io_sr_msg, mshot_total_len, OPTIONAL)       \
	X(io_async_rw, buf_group, NEEDED)             \
	X(io_ev_fd, cq_ev_fd, NEEDED)                 \
	X(io_ev_fd, eventfd_async, NEEDED)            \
	X(io_ring_ctx, file_alloc_start, NEEDED)      \
	X(io_ring_ctx, file_alloc_end, NEEDED)        \
	X(io_ring_ctx, iowq_limits, NEEDED)           \
	X(io_kiocb, creds, NEEDED)                    \
	X(io_kiocb, buf_index, NEEDED)                \
	X(io_ring_ctx, defer_list, NEEDED)            \
	X(io_ring_ctx, cq_timeouts, NEEDED)           \
	X(io_defer_entry, list, NEEDED)               \
	X(io_defer_entry, req, NEEDED)                \
	X(io_timeout, target_seq, NEEDED)             \
	X(io_timeout, repeats, NEEDED)                \
	X(io_timeout_data, ts, NEEDED)                \
	X(timespec64, tv_sec, NEEDED)                 \
	X(timespec64, tv_nsec, NEEDED)                \
	X(io_rw, kiocb, NEEDED)                       \
	X(kiocb, ki_pos, NEEDED)                      \
	X(kiocb, ki_ioprio, NEEDED)                   \
	X(io_async_rw, iter, NEEDED)                  \
	X(io_async_rw, bytes_done, NEEDED)            \
	X(iov_iter, iter_type, NEEDED)                \
	X(iov_iter, iov_offset, NEEDED)               \
	X(iov_iter, __iov, NEEDED)                    \
	X(iov_iter, count, NEEDED)                    \
	X(iov_iter, nr_segs, NEEDED)                  \
	X(io_sr_msg, msg_control, NEEDED)             \
	X(io_async_msghdr, namelen, NEEDED)           \
	X(io_async_msghdr, controllen, NEEDED)        \
	X(io_async_msghdr, uaddr, NEEDED)             \
	X(io_async_msghdr, msg, NEEDED)               \
	X(io_async_msghdr, addr, NEEDED)              \
	X(msghdr, msg_name, NEEDED)                   \
	X(msghdr, msg_namelen, NEEDED)                \
	X(msghdr, msg_iter, NEEDED)                   \
	X(msghdr, msg_control_user, NEEDED)           \
	X(msghdr, msg_controllen, NEEDED)             \
	X(io_close, fd, NEEDED)                       \
	X(io_close, file_slot, NEEDED)                \
	X(io_sync, len, NEEDED)                       \
	X(io_sync, off, NEEDED)                       \
	X(io_sync, flags, NEEDED)                     \
	X(io_shutdown, how, NEEDED)                   \
	X(io_epoll_wait, maxevents, OPTIONAL)         \
	X(io_epoll_wait, events, OPTIONAL)            \
	X(io_connect, addr_len, NEEDED)               \
	X(xa_node, shift, NEEDED)                     \
	X(cred, uid, NEEDED)                          \
	X(cred, gid, NEEDED)                          \
	X(cred, suid, NEEDED)                         \
	X(cred, sgid, NEEDED)                         \
	X(cred, euid, NEEDED)                         \
	X(cred, egid, NEEDED)                         \
	X(cred, fsuid, NEEDED)                        \
	X(cred, fsgid, NEEDED)                        \
	X(cred, securebits, NEEDED)                   \
	X(cred, cap_inheritable, NEEDED)              \
	X(cred, cap_permitted, NEEDED)                \
	X(cred, cap_effective, NEEDED)                \
	X(cred, cap_bset, NEEDED)                     \
	X(cred, cap_ambient, NEEDED)                  \
	X(cred, user_ns, NEEDED)                      \
	X(cred, group_info, NEEDED)                   \
	X(user_namespace, level, NEEDED)              \
	X(group_info, ngroups, NEEDED)                \
	X(group_info, gid, NEEDED)                    \
	X(io_overflow_cqe, list, NEEDED)              \
	X(io_overflow_cqe, cqe, NEEDED)

#define URING_FILE_BITS 3 /* in io_rsrc_node.file_ptr: FFS_NOWAIT, FFS_ISREG of io_uring/filetable.h */

enum { OPTIONAL, NEEDED };

enum place {
#define PLACE(type, member, need) AT_##type##_##member,
	MEMBERS(PLACE)
#undef PLACE
		N_PLACES
};

/* What we look through. */
struct uring_view {
	struct peek *peek;
	struct btf_place places[N_PLACES];
	uint32_t bucket_size, upid_size, page_struct_size, bvec_size;
	uint64_t first_page; /* where the struct page of the frame 0 would lie; 0: not known yet */
	/* As the kernel numbers them: */
	int64_t creds_bit;			      /* of the flags of a request: it has credentials of its own */
	int64_t fail_bit, selected_bit, metadata_bit; /* it has failed, holds a buffer, or more than data, */
	int64_t timed_bit;			      /* or the time of the one that follows it runs */
	int64_t ring_flag;			      /* of a group of buffers: they come in a ring, */
	int64_t inc_flag;			      /* of which each is used up piece by piece */
	int64_t given_flag;			      /* of a region of memory: it is the program's */
	int64_t one_part;			      /* of an iov_iter: it is of one piece of memory, */
	int64_t parts;				      /* of several */
	int error;				      /* of the first read that failed */
};

/* Refuses where the kernel tells nothing. error is 0 again. */
int uring_view_get(const struct dump *d, struct uring_view **ret);
/* The next ones note a failure in view->error, and give zeros from then on. */
void uring_view_read(struct uring_view *view, uint64_t address, void *to, size_t size);
/* The member of the structure at base; 0 if there is none. */
uint64_t uring_view_member(struct uring_view *view, uint64_t base, enum place at);
/* Where the member itself lies. */
uint64_t uring_view_place(const struct uring_view *view, uint64_t base, enum place at);
/* Calls found() with what is in an xarray at that place, but for empty places, and its number there. */
void uring_view_walk(struct uring_view *view, uint64_t xarray,
		     void (*found)(void *arg, uint64_t number, uint64_t entry), void *arg);
/* The struct file behind a descriptor of ours. */
uint64_t uring_view_file(struct uring_view *view, int fd);
/* The number of a task in our own pid namespace; 0 if it has none there. The other one: in its own. */
int32_t uring_view_tid(struct uring_view *view, uint64_t task);
int32_t uring_view_own_tid(struct uring_view *view, uint64_t task);
/* The number of the frame that a struct page is of; refuses if that cannot be found out. */
int uring_view_frame(struct uring_view *view, uint64_t page, uint64_t *ret);
/* Tells of view->error. */
int uring_view_give_up(const struct uring_view *view);
