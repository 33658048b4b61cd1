/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of an io_uring that wait for a file or for a time, as the program has made them. All that the kernel keeps
 * of such a request while nothing of it is done is what the program has said.
 */
#include "object/memory/uring/uring-requests.h"

#include <linux/io_uring.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "kern/syscalls.h"
#include "object/memory/uring/uring-view.h"

#define FLAGS_ALLOWED (IOSQE_ASYNC | IOSQE_CQE_SKIP_SUCCESS | IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT)
#define RECV_FLAGS    0x1f /* IORING_RECVSEND_*, IORING_RECV_* */
#define FLAGS_ALL     0x7f
#define FILES_MAX     (1u << 20)
#define FILES_CHUNK   64

/* --- which there are --- */

static void walk_files(struct uring_view *view, uint64_t ctx, void (*found)(void *arg, uint64_t request), void *arg)
{
	uint64_t table = uring_view_place(view, ctx, AT_io_ring_ctx_cancel_table), node;
	uint64_t buckets = uring_view_member(view, table, AT_io_hash_table_hbs);
	uint64_t n = 1ull << (uring_view_member(view, table, AT_io_hash_table_hash_bits) & 15);

	for (uint64_t i = 0; i < n && !view->error; i++) {
		uring_view_read(view, buckets + i * view->bucket_size, &node, sizeof(node));
		for (; node && !view->error; node = uring_view_member(view, node, AT_hlist_node_next))
			found(arg, node - uring_view_place(view, 0, AT_io_kiocb_hash_node));
	}
}

static void walk_times(struct uring_view *view, uint64_t ctx, void (*found)(void *arg, uint64_t request), void *arg)
{
	uint64_t list = uring_view_place(view, ctx, AT_io_ring_ctx_timeout_list);
	uint64_t within = uring_view_place(view, uring_view_place(view, 0, AT_io_kiocb_cmd), AT_io_timeout_list);

	for (uint64_t node = uring_view_member(view, list, AT_list_head_next); node && node != list && !view->error;
	     node = uring_view_member(view, node, AT_list_head_next))
		found(arg, node - within);
}

void uring_requests_walk(struct uring_view *view, uint64_t ctx, void (*found)(void *arg, uint64_t request), void *arg)
{
	walk_files(view, ctx, found, arg);
	walk_times(view, ctx, found, arg);
}

/* --- what they are --- */

static const char *read_poll(struct uring_view *view, uint64_t cmd, UringRequest *ret)
{
	uint32_t events = (uint32_t)uring_view_member(view, cmd, AT_io_poll_events);

	ret->len = (events & EPOLLONESHOT ? 0 : IORING_POLL_ADD_MULTI) | (events & EPOLLET ? 0 : IORING_POLL_ADD_LEVEL);
	ret->op_flags = events & ~(uint32_t)(EPOLLONESHOT | EPOLLET);
	return NULL;
}

static const char *read_accept(struct uring_view *view, uint64_t cmd, UringRequest *ret)
{
	ret->addr = uring_view_member(view, cmd, AT_io_accept_addr);
	ret->off = uring_view_member(view, cmd, AT_io_accept_addr_len);
	ret->op_flags = (uint32_t)uring_view_member(view, cmd, AT_io_accept_flags);
	ret->ioprio = (uint32_t)uring_view_member(view, cmd, AT_io_accept_iou_flags);
	ret->file_index = (uint32_t)uring_view_member(view, cmd, AT_io_accept_file_slot);
	return NULL;
}

static const char *read_recv(struct uring_view *view, uint64_t cmd, UringRequest *ret)
{
	const uint64_t flags = uring_view_member(view, cmd, AT_io_sr_msg_flags);

	if (uring_view_member(view, cmd, AT_io_sr_msg_done_io))
		return "a part of it is done";
	ret->op_flags = (uint32_t)uring_view_member(view, cmd, AT_io_sr_msg_msg_flags);
	ret->ioprio = flags & RECV_FLAGS; /* others are the kernel's */
	ret->len = (uint32_t)uring_view_member(view, cmd, AT_io_sr_msg_len);
	if (!(ret->flags & IOSQE_BUFFER_SELECT)) {
		ret->addr = uring_view_member(view, cmd, AT_io_sr_msg_buf);
		return flags & IORING_RECVSEND_FIXED_BUF ? "it uses a registered buffer" : NULL;
	}
	ret->has_group = true;
	ret->group = (uint32_t)uring_view_member(view, cmd, AT_io_sr_msg_buf_group);
	if (flags & IORING_RECV_MULTISHOT)
		ret->len = (uint32_t)uring_view_member(view, cmd, AT_io_sr_msg_mshot_len);
	if (flags & URING_RECV_LIMITED) /* sqe->optlen, at the same place */
		ret->file_index = (uint32_t)uring_view_member(view, cmd, AT_io_sr_msg_mshot_total_len);
	return NULL;
}

/* A TCP connection or listener. */
static bool is_tcp(struct uring_view *view, uint64_t file)
{
	uint64_t mode = uring_view_member(view, uring_view_member(view, file, AT_file_f_inode), AT_inode_i_mode),
		 socket;
	uint64_t family;

	if (!S_ISSOCK(mode))
		return false;
	socket = uring_view_member(view, file, AT_file_private_data);
	family = uring_view_member(view, uring_view_member(view, socket, AT_socket_sk), AT_sock_common_skc_family);
	return (family == AF_INET || family == AF_INET6) &&
	       uring_view_member(view, socket, AT_socket_type) == SOCK_STREAM;
}

/*
 * A connection is still under repair when the request is made again, so nobody may try to read it: it must be waited
 * for first, which recv(2) can be told to, but not read(2), which is the same.
 */
static const char *choose_recv(UringRequest *ret)
{
	if (ret->op_flags || ret->opcode != IORING_OP_READ)
		return "it reads a connection in a way that cannot be made again";
	ret->opcode = IORING_OP_RECV;
	ret->off = 0;
	return NULL;
}

static const char *read_read(struct uring_view *view, uint64_t request, uint64_t cmd, UringRequest *ret)
{
	ret->off = UINT64_MAX; /* what can be waited for has no position */
	ret->op_flags = (uint32_t)uring_view_member(view, cmd, AT_io_rw_flags);
	if (ret->opcode == IORING_OP_READ)
		ret->len = (uint32_t)uring_view_member(view, cmd, AT_io_rw_len);
	if (ret->flags & IOSQE_BUFFER_SELECT) {
		ret->has_group = true;
		ret->group = (uint32_t)uring_view_member(view, uring_view_member(view, request, AT_io_kiocb_async_data),
							 AT_io_async_rw_buf_group);
	} else {
		ret->addr = uring_view_member(view, cmd, AT_io_rw_addr);
	}
	return is_tcp(view, uring_view_member(view, request, AT_io_kiocb_file)) ? choose_recv(ret) : NULL;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	return clock_gettime(clock, &now) < 0 ? 0 : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What is left of it; but a date stays one. */
static const char *read_timeout(struct uring_view *view, uint64_t cmd, uint64_t data, UringRequest *ret)
{
	uint32_t flags = (uint32_t)uring_view_member(view, data, AT_io_timeout_data_flags);
	uint64_t timer = uring_view_place(view, data, AT_io_timeout_data_timer), now = 0;
	uint64_t end =
		uring_view_member(view, uring_view_place(view, timer, AT_hrtimer_node), AT_timerqueue_node_expires);

	if (uring_view_member(view, cmd, AT_io_timeout_off))
		return "it counts completions";
	if (flags & ~(uint32_t)(IORING_TIMEOUT_ABS | IORING_TIMEOUT_CLOCK_MASK | IORING_TIMEOUT_ETIME_SUCCESS))
		return "it comes again and again";
	if (flags & IORING_TIMEOUT_ABS && flags & IORING_TIMEOUT_REALTIME) {
		ret->nanoseconds = end;
	} else {
		flags &= ~(uint32_t)IORING_TIMEOUT_ABS;
		now = now_ns(flags & IORING_TIMEOUT_REALTIME   ? CLOCK_REALTIME
			     : flags & IORING_TIMEOUT_BOOTTIME ? CLOCK_BOOTTIME
							       : CLOCK_MONOTONIC);
		ret->nanoseconds = end > now ? end - now : 1;
	}
	ret->has_nanoseconds = true;
	ret->op_flags = flags;
	ret->len = 1;
	return NULL;
}

/* The number of its file in the table of the task that made it: -1 if it has none any more. */
static int32_t find_number(struct uring_view *view, uint64_t task, uint64_t request)
{
	uint64_t file = uring_view_member(view, request, AT_io_kiocb_file), files[FILES_CHUNK];
	uint64_t table =
		uring_view_member(view, uring_view_member(view, task, AT_task_struct_files), AT_files_struct_fdt);
	uint64_t at = uring_view_member(view, table, AT_fdtable_fd);
	uint64_t n = uring_view_member(view, table, AT_fdtable_max_fds);
	int32_t said = (int32_t)uring_view_member(view, uring_view_place(view, request, AT_io_kiocb_cqe), AT_io_cqe_fd);

	if (said >= 0 && (uint64_t)said < n) {
		uring_view_read(view, at + (uint64_t)said * sizeof(file), files, sizeof(file));
		if (files[0] == file)
			return said;
	}
	for (uint64_t i = 0; i + FILES_CHUNK <= n && i < FILES_MAX && !view->error; i += FILES_CHUNK) {
		uring_view_read(view, at + i * sizeof(file), files, sizeof(files));
		for (uint64_t k = 0; k < FILES_CHUNK; k++)
			if (files[k] == file)
				return (int32_t)(i + k);
	}
	return -1;
}

/* The same in the table of registered files. */
static int32_t find_registered(struct uring_view *view, uint64_t request)
{
	const uint64_t data = uring_view_place(view,
					       uring_view_place(view, uring_view_member(view, request, AT_io_kiocb_ctx),
								AT_io_ring_ctx_file_table),
					       AT_io_file_table_data);
	const uint64_t n = uring_view_member(view, data, AT_io_rsrc_data_nr);
	const uint64_t nodes = uring_view_member(view, data, AT_io_rsrc_data_nodes);
	const uint64_t file = uring_view_member(view, request, AT_io_kiocb_file);

	for (uint64_t i = 0; i < n && i < FILES_MAX && !view->error; i++) {
		uint64_t node;

		uring_view_read(view, nodes + i * sizeof(node), &node, sizeof(node));
		if (node &&
		    (uring_view_member(view, node, AT_io_rsrc_node_file_ptr) & ~(uint64_t)URING_FILE_BITS) == file)
			return (int32_t)i;
	}
	return -1;
}

static const char *read_kind(struct uring_view *view, uint64_t request, UringRequest *ret)
{
	uint64_t cmd = uring_view_place(view, request, AT_io_kiocb_cmd);

	switch (ret->opcode) {
	case IORING_OP_POLL_ADD:
		return read_poll(view, cmd, ret);
	case IORING_OP_ACCEPT:
		return read_accept(view, cmd, ret);
	case IORING_OP_RECV:
		return read_recv(view, cmd, ret);
	case IORING_OP_READ:
	case URING_READ_MULTISHOT:
		return read_read(view, request, cmd, ret);
	case IORING_OP_TIMEOUT:
		return read_timeout(view, cmd, uring_view_member(view, request, AT_io_kiocb_async_data), ret);
	}
	return "that kind is not known well enough";
}

const char *uring_request_read(struct uring_view *view, uint64_t request, UringRequest *ret)
{
	uint64_t flags = uring_view_member(view, request, AT_io_kiocb_flags);
	uint64_t task =
		uring_view_member(view, uring_view_member(view, request, AT_io_kiocb_tctx), AT_io_uring_task_task);

	/* What the thread of IORING_SETUP_SQPOLL has taken, its process takes again. */
	if (uring_view_member(view, uring_view_member(view, request, AT_io_kiocb_ctx), AT_io_ring_ctx_flags) &
	    IORING_SETUP_SQPOLL)
		task = uring_view_member(view, task, AT_task_struct_group_leader);
	uring_request__init(ret);
	ret->opcode = (uint32_t)uring_view_member(view, request, AT_io_kiocb_opcode);
	ret->flags = flags & FLAGS_ALL;
	ret->user_data = uring_view_member(view, uring_view_place(view, request, AT_io_kiocb_cqe), AT_io_cqe_user_data);
	ret->tid = uring_view_tid(view, task);
	if (ret->flags & ~(uint32_t)FLAGS_ALLOWED || uring_view_member(view, request, AT_io_kiocb_link))
		return "it is linked to others";
	if (flags & 1ull << view->creds_bit)
		return "it has credentials of its own";
	if (ret->opcode == IORING_OP_TIMEOUT)
		ret->fd = -1;
	else
		ret->fd = ret->flags & IOSQE_FIXED_FILE ? find_registered(view, request)
							: find_number(view, task, request);
	if (ret->fd < 0 && ret->opcode != IORING_OP_TIMEOUT)
		return "the process has closed its file, or does not have it registered any more";
	return read_kind(view, request, ret);
}
