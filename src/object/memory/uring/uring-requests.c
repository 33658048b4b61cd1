/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of an io_uring that wait for a file, for a time or for each other, as the program has made them. All that
 * the kernel keeps of such a request while nothing of it is done is what the program has said.
 */
#include "object/memory/uring/uring-requests.h"

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "base/array.h"
#include "base/pool.h"
#include "kern/syscalls.h"
#include "object/memory/uring/uring-creds.h"
#include "object/memory/uring/uring-message.h"
#include "object/memory/uring/uring-view.h"
#include "object/memory/uring/uring-walk.h"

#define RECV_FLAGS    0x1f /* IORING_RECVSEND_*, IORING_RECV_* */
#define FLAGS_ALL     0x7f
#define FILES_MAX     (1u << 20)
#define FILES_CHUNK   64
#define NS_PER_SECOND 1000000000ull

/* One that is read. */
struct request_read {
	struct uring_view *view;
	struct pool *pool;
	uint64_t request, cmd, data; /* struct io_kiocb, and what it has of its kind */
	bool begun;
	UringRequest *ret;
};

static uint64_t read_member(const struct request_read *asked, enum place at)
{
	return uring_view_member(asked->view, asked->cmd, at);
}

/* --- of each kind --- */

static const char *read_nothing(const struct request_read *asked)
{
	return NULL;
}

static const char *read_poll(const struct request_read *asked)
{
	uint32_t events = (uint32_t)read_member(asked, AT_io_poll_events);

	asked->ret->len =
		(events & EPOLLONESHOT ? 0 : IORING_POLL_ADD_MULTI) | (events & EPOLLET ? 0 : IORING_POLL_ADD_LEVEL);
	asked->ret->op_flags = events & ~(uint32_t)(EPOLLONESHOT | EPOLLET);
	return NULL;
}

static const char *read_accept(const struct request_read *asked)
{
	asked->ret->addr = read_member(asked, AT_io_accept_addr);
	asked->ret->off = read_member(asked, AT_io_accept_addr_len);
	asked->ret->op_flags = (uint32_t)read_member(asked, AT_io_accept_flags);
	asked->ret->ioprio = (uint32_t)read_member(asked, AT_io_accept_iou_flags);
	asked->ret->file_index = (uint32_t)read_member(asked, AT_io_accept_file_slot);
	return NULL;
}

/* What all that send and receive have. */
static const char *read_message(const struct request_read *asked)
{
	const uint64_t flags = read_member(asked, AT_io_sr_msg_flags);

	if (read_member(asked, AT_io_sr_msg_done_io))
		return "a part of it is done";
	if (flags & IORING_RECVSEND_FIXED_BUF)
		return "it uses a registered buffer";
	asked->ret->op_flags = (uint32_t)read_member(asked, AT_io_sr_msg_msg_flags);
	asked->ret->ioprio = flags & RECV_FLAGS; /* others are the kernel's */
	asked->ret->addr = read_member(asked, AT_io_sr_msg_buf);
	asked->ret->len = (uint32_t)read_member(asked, AT_io_sr_msg_len);
	return NULL;
}

static const char *read_recv(const struct request_read *asked)
{
	const uint64_t flags = read_member(asked, AT_io_sr_msg_flags);
	const char *why = read_message(asked);
	UringRequest *ret = asked->ret;

	if (why || !(ret->flags & IOSQE_BUFFER_SELECT))
		return why;
	ret->addr = 0; /* of the buffer that was chosen last */
	ret->has_group = true;
	ret->group = (uint32_t)read_member(asked, AT_io_sr_msg_buf_group);
	if (flags & IORING_RECV_MULTISHOT)
		ret->len = (uint32_t)read_member(asked, AT_io_sr_msg_mshot_len);
	if (flags & URING_RECV_LIMITED) /* sqe->optlen, at the same place */
		ret->file_index = (uint32_t)read_member(asked, AT_io_sr_msg_mshot_total_len);
	return NULL;
}

static const char *read_recvmsg(const struct request_read *asked)
{
	const bool goes_on = read_member(asked, AT_io_sr_msg_flags) & IORING_RECV_MULTISHOT;
	const char *why = read_message(asked);

	if (why)
		return why;
	if (asked->ret->flags & IOSQE_BUFFER_SELECT) {
		if (asked->ret->len && !goes_on)
			return "it limits the size of what it puts into a buffer that it chooses";
		asked->ret->has_group = true;
		asked->ret->group = (uint32_t)read_member(asked, AT_io_sr_msg_buf_group);
	}
	asked->ret->len = 1;
	return uring_read_received(asked->view, asked->pool, asked->data, goes_on, asked->ret);
}

static const char *read_send(const struct request_read *asked)
{
	const uint64_t msg = uring_view_place(asked->view, asked->data, AT_io_async_msghdr_msg);
	const char *why = read_message(asked);

	if (why)
		return why;
	if (asked->ret->flags & IOSQE_BUFFER_SELECT || asked->ret->ioprio & ~(uint32_t)IORING_RECVSEND_POLL_FIRST)
		return "it sends in a way that is not known well enough";
	if (!uring_view_member(asked->view, msg, AT_msghdr_msg_name))
		return NULL;
	return uring_read_name(asked->view, asked->pool, asked->data,
			       uring_view_member(asked->view, msg, AT_msghdr_msg_namelen), asked->ret);
}

static const char *read_sendmsg(const struct request_read *asked)
{
	const char *why = read_message(asked);

	if (why)
		return why;
	if (asked->ret->flags & IOSQE_BUFFER_SELECT || asked->ret->ioprio & ~(uint32_t)IORING_RECVSEND_POLL_FIRST)
		return "it sends in a way that is not known well enough";
	asked->ret->addr = 0;
	asked->ret->len = 1;
	return uring_read_sent(asked->view, asked->pool, asked->cmd, asked->data, asked->ret);
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

/* What has begun and waits has no position. */
static const char *read_common_rw(const struct request_read *asked)
{
	const uint64_t kiocb = uring_view_place(asked->view, asked->cmd, AT_io_rw_kiocb);

	if (uring_view_member(asked->view, asked->data, AT_io_async_rw_bytes_done))
		return "a part of it is done";
	asked->ret->off = asked->begun ? UINT64_MAX : uring_view_member(asked->view, kiocb, AT_kiocb_ki_pos);
	asked->ret->op_flags = (uint32_t)read_member(asked, AT_io_rw_flags);
	asked->ret->addr = read_member(asked, AT_io_rw_addr);
	asked->ret->len = (uint32_t)read_member(asked, AT_io_rw_len);
	return NULL;
}

static const char *read_write(const struct request_read *asked)
{
	return asked->ret->flags & IOSQE_BUFFER_SELECT ? "it chooses a buffer to write" : read_common_rw(asked);
}

static const char *read_read(const struct request_read *asked)
{
	UringRequest *ret = asked->ret;
	const char *why = read_common_rw(asked);

	if (why)
		return why;
	if (ret->opcode == URING_READ_MULTISHOT)
		ret->len = 0;
	if (ret->flags & IOSQE_BUFFER_SELECT) {
		ret->addr = 0;
		ret->has_group = true;
		ret->group = (uint32_t)uring_view_member(asked->view, asked->data, AT_io_async_rw_buf_group);
	}
	return asked->begun && is_tcp(asked->view, uring_view_member(asked->view, asked->request, AT_io_kiocb_file))
		       ? choose_recv(ret)
		       : NULL;
}

static const char *read_fixed(const struct request_read *asked)
{
	asked->ret->has_group = true;
	asked->ret->group = (uint32_t)uring_view_member(asked->view, asked->request, AT_io_kiocb_buf_index);
	return read_common_rw(asked);
}

static const char *read_vector(const struct request_read *asked)
{
	const char *why = read_common_rw(asked);

	if (why)
		return why;
	if (asked->ret->flags & IOSQE_BUFFER_SELECT)
		return "it chooses a buffer in a way that is not known well enough";
	if (asked->begun && asked->ret->opcode == IORING_OP_READV &&
	    is_tcp(asked->view, uring_view_member(asked->view, asked->request, AT_io_kiocb_file)))
		return "it reads a connection in a way that cannot be made again";
	asked->ret->addr = 0;
	return uring_read_parts(asked->view, asked->pool,
				uring_view_place(asked->view, asked->data, AT_io_async_rw_iter), asked->ret);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	return clock_gettime(clock, &now) < 0 ? 0 : (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* What is left of it; but a date stays one. */
static void read_end(const struct request_read *asked, uint32_t flags)
{
	uint64_t timer = uring_view_place(asked->view, asked->data, AT_io_timeout_data_timer), now;
	uint64_t end = uring_view_member(asked->view, uring_view_place(asked->view, timer, AT_hrtimer_node),
					 AT_timerqueue_node_expires);

	if (flags & IORING_TIMEOUT_ABS && flags & IORING_TIMEOUT_REALTIME) {
		asked->ret->nanoseconds = end;
		return;
	}
	asked->ret->op_flags &= ~(uint32_t)IORING_TIMEOUT_ABS;
	now = now_ns(flags & IORING_TIMEOUT_REALTIME   ? CLOCK_REALTIME
		     : flags & IORING_TIMEOUT_BOOTTIME ? CLOCK_BOOTTIME
						       : CLOCK_MONOTONIC);
	asked->ret->nanoseconds = end > now ? end - now : 1;
}

/* A number of completions is counted from where the ring is: so many are still to come. */
static uint32_t count_left(const struct request_read *asked)
{
	const uint64_t ctx = uring_view_member(asked->view, asked->request, AT_io_kiocb_ctx);

	return (uint32_t)(read_member(asked, AT_io_timeout_target_seq) -
			  (uring_view_member(asked->view, ctx, AT_io_ring_ctx_cached_cq_tail) -
			   uring_view_member(asked->view, ctx, AT_io_ring_ctx_cq_timeouts)));
}

/* running: its time has begun. One that comes again and again begins with a whole one. */
static const char *read_time(const struct request_read *asked, bool running)
{
	const uint32_t flags = (uint32_t)uring_view_member(asked->view, asked->data, AT_io_timeout_data_flags);
	const uint64_t time = uring_view_place(asked->view, asked->data, AT_io_timeout_data_ts);
	const bool again = flags & URING_TIMEOUT_MULTISHOT;

	if (flags & ~(uint32_t)(IORING_TIMEOUT_ABS | IORING_TIMEOUT_CLOCK_MASK | IORING_TIMEOUT_ETIME_SUCCESS |
				URING_TIMEOUT_MULTISHOT))
		return "it counts time in a way that is not known";
	asked->ret->has_nanoseconds = true;
	asked->ret->op_flags = flags;
	asked->ret->len = 1;
	if (running && !again)
		read_end(asked, flags);
	else
		asked->ret->nanoseconds = uring_view_member(asked->view, time, AT_timespec64_tv_sec) * NS_PER_SECOND +
					  uring_view_member(asked->view, time, AT_timespec64_tv_nsec);
	return NULL;
}

static const char *read_timeout(const struct request_read *asked)
{
	const char *why = read_time(asked, asked->begun);

	asked->ret->off = read_member(asked, AT_io_timeout_off);
	if (asked->ret->op_flags & URING_TIMEOUT_MULTISHOT)
		asked->ret->off = read_member(asked, AT_io_timeout_repeats);
	else if (asked->begun && asked->ret->off)
		asked->ret->off = count_left(asked);
	return why;
}

/* It runs while the request before it does. */
static const char *read_link_timeout(const struct request_read *asked)
{
	const uint64_t head = read_member(asked, AT_io_timeout_head); /* none: its time is over */

	return read_time(asked, !head || uring_view_member(asked->view, head, AT_io_kiocb_flags) &
						 1ull << asked->view->timed_bit);
}

static const char *read_close(const struct request_read *asked)
{
	asked->ret->fd = (int32_t)read_member(asked, AT_io_close_fd);
	asked->ret->file_index = (uint32_t)read_member(asked, AT_io_close_file_slot);
	return NULL;
}

static const char *read_sync(const struct request_read *asked)
{
	asked->ret->off = read_member(asked, AT_io_sync_off);
	asked->ret->len = (uint32_t)read_member(asked, AT_io_sync_len);
	asked->ret->op_flags = (uint32_t)read_member(asked, AT_io_sync_flags);
	return NULL;
}

static const char *read_shutdown(const struct request_read *asked)
{
	asked->ret->len = (uint32_t)read_member(asked, AT_io_shutdown_how);
	return NULL;
}

static const char *read_epoll(const struct request_read *asked)
{
	asked->ret->addr = read_member(asked, AT_io_epoll_wait_events);
	asked->ret->len = (uint32_t)read_member(asked, AT_io_epoll_wait_maxevents);
	return NULL;
}

static const char *read_connect(const struct request_read *asked)
{
	if (asked->begun)
		return "it is in the middle of a connection";
	asked->ret->off = read_member(asked, AT_io_connect_addr_len);
	return uring_read_name(asked->view, asked->pool, asked->data, asked->ret->off, asked->ret);
}

#define FILE_NEEDED 1 /* fd is the number of a file */
#define PUSHES	    2 /* it writes there */
#define FOLLOWS	    4 /* it never waits itself, but may follow one that does */

static const struct kind {
	uint8_t opcode, how;
	const char *(*read)(const struct request_read *asked);
} kinds[] = {
	{ IORING_OP_NOP, FOLLOWS, read_nothing },
	{ IORING_OP_POLL_ADD, FILE_NEEDED, read_poll },
	{ IORING_OP_ACCEPT, FILE_NEEDED, read_accept },
	{ IORING_OP_CONNECT, FILE_NEEDED | PUSHES, read_connect },
	{ IORING_OP_RECV, FILE_NEEDED, read_recv },
	{ IORING_OP_RECVMSG, FILE_NEEDED, read_recvmsg },
	{ IORING_OP_SEND, FILE_NEEDED | PUSHES, read_send },
	{ IORING_OP_SENDMSG, FILE_NEEDED | PUSHES, read_sendmsg },
	{ IORING_OP_READ, FILE_NEEDED, read_read },
	{ IORING_OP_READV, FILE_NEEDED, read_vector },
	{ IORING_OP_READ_FIXED, FILE_NEEDED, read_fixed },
	{ URING_READ_MULTISHOT, FILE_NEEDED, read_read },
	{ IORING_OP_WRITE, FILE_NEEDED | PUSHES, read_write },
	{ IORING_OP_WRITEV, FILE_NEEDED | PUSHES, read_vector },
	{ IORING_OP_WRITE_FIXED, FILE_NEEDED | PUSHES, read_fixed },
	{ URING_EPOLL_WAIT, FILE_NEEDED, read_epoll },
	{ IORING_OP_TIMEOUT, 0, read_timeout },
	{ IORING_OP_LINK_TIMEOUT, FOLLOWS, read_link_timeout },
	{ IORING_OP_CLOSE, FOLLOWS, read_close },
	{ IORING_OP_FSYNC, FOLLOWS | FILE_NEEDED, read_sync },
	{ IORING_OP_SHUTDOWN, FOLLOWS | FILE_NEEDED | PUSHES, read_shutdown },
};

static const struct kind *find_kind(uint32_t opcode)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].opcode == opcode)
			return &kinds[i];
	return NULL;
}

bool uring_request_is_known(const UringRequest *request)
{
	return find_kind(request->opcode);
}

bool uring_request_has_file(const UringRequest *request)
{
	return find_kind(request->opcode)->how & FILE_NEEDED;
}

bool uring_request_pushes(const UringRequest *request)
{
	return find_kind(request->opcode)->how & PUSHES;
}

void uring_request_memory(const UringRequest *request,
			  void (*use)(void *arg, uint64_t address, uint64_t length, bool written), void *arg)
{
	if (request->opcode == IORING_OP_RECVMSG && request->addr)
		use(arg, request->addr, sizeof(struct msghdr), true);
	if (!uring_request_pushes(request))
		return;
	for (size_t i = 0; i < request->n_parts; i++)
		use(arg, request->parts[i]->address, request->parts[i]->length, false);
	if (request->header && request->header->control_length)
		use(arg, request->header->control, request->header->control_length, false);
	if (request->addr && !request->has_group)
		use(arg, request->addr, request->len, false);
}

/* --- what all have --- */

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

/* As the program has said it, where the kernel has not looked for the file yet. */
static int32_t find_file(struct uring_view *view, uint64_t task, uint64_t request, uint32_t flags)
{
	if (!uring_view_member(view, request, AT_io_kiocb_file))
		return (int32_t)uring_view_member(view, uring_view_place(view, request, AT_io_kiocb_cqe), AT_io_cqe_fd);
	return flags & IOSQE_FIXED_FILE ? find_registered(view, request) : find_number(view, task, request);
}

/* Credentials that are sought among the personalities of an io_uring. */
struct sought_creds {
	uint64_t creds;
	uint32_t number; /* 0: not found */
};

static void compare_creds(void *arg, uint64_t number, uint64_t creds)
{
	struct sought_creds *sought = arg;

	if (creds == sought->creds)
		sought->number = (uint32_t)number;
}

/* The kernel notes credentials with requests that have those of a personality, and with all that went to a worker. */
static const char *read_creds(struct uring_view *view, uint64_t task, uint64_t request, uint64_t ctx, bool polled,
			      UringRequest *ret)
{
	struct sought_creds sought = { .creds = uring_view_member(view, request, AT_io_kiocb_creds) };

	if (uring_creds_are_equal(view, sought.creds,
				  polled ? uring_view_member(view, ctx, AT_io_ring_ctx_sq_creds)
					 : uring_view_member(view, task, AT_task_struct_cred)))
		return NULL;
	uring_view_walk(view, uring_view_place(view, ctx, AT_io_ring_ctx_personalities), compare_creds, &sought);
	ret->has_personality = true;
	ret->personality = sought.number;
	return sought.number ? NULL : "it has credentials that the thread does not have any more";
}

static bool is_strange(const struct uring_view *view, uint64_t flags, const UringRequest *request)
{
	/* A time that comes again and again counts as one that has failed when it has come once. */
	if (flags & 1ull << view->fail_bit && request->opcode != IORING_OP_TIMEOUT)
		return true;
	return flags & (1ull << view->selected_bit | 1ull << view->metadata_bit);
}

const char *uring_request_read(struct uring_view *view, struct pool *pool, const struct uring_met *met,
			       UringRequest *ret)
{
	const uint64_t request = met->request, flags = uring_view_member(view, request, AT_io_kiocb_flags);
	const uint64_t ctx = uring_view_member(view, request, AT_io_kiocb_ctx);
	const bool polled = uring_view_member(view, ctx, AT_io_ring_ctx_flags) & IORING_SETUP_SQPOLL;
	uint64_t task =
		uring_view_member(view, uring_view_member(view, request, AT_io_kiocb_tctx), AT_io_uring_task_task);
	const struct kind *kind;
	const char *why = NULL;

	/* What the thread of IORING_SETUP_SQPOLL has taken, its process takes again. */
	if (polled)
		task = uring_view_member(view, task, AT_task_struct_group_leader);
	uring_request__init(ret);
	ret->opcode = (uint32_t)uring_view_member(view, request, AT_io_kiocb_opcode);
	ret->flags = flags & FLAGS_ALL;
	ret->user_data = uring_view_member(view, uring_view_place(view, request, AT_io_kiocb_cqe), AT_io_cqe_user_data);
	ret->tid = uring_view_tid(view, task);
	ret->fd = -1;
	kind = find_kind(ret->opcode);
	if (!kind || (kind->how & FOLLOWS && met->begun))
		return "that kind is not known well enough";
	if (is_strange(view, flags, ret))
		return "it is in a state that is not known well enough";
	if (flags & 1ull << view->creds_bit)
		why = read_creds(view, task, request, ctx, polled, ret);
	if (why)
		return why;
	if (kind->how & FILE_NEEDED) {
		ret->fd = find_file(view, task, request, ret->flags);
		if (ret->fd < 0)
			return "the process has closed its file, or does not have it registered any more";
	}
	return kind->read(&(struct request_read){ .view = view,
						  .pool = pool,
						  .request = request,
						  .cmd = uring_view_place(view, request, AT_io_kiocb_cmd),
						  .data = uring_view_member(view, request, AT_io_kiocb_async_data),
						  .begun = met->begun,
						  .ret = ret });
}
