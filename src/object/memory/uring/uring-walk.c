/* SPDX-License-Identifier: GPL-2.0-only */
/* Which requests of an io_uring wait: the kernel has lists of those that wait for a file, for a time, and for others.
 */
#include "object/memory/uring/uring-walk.h"

#include <linux/io_uring.h>

#include "object/memory/uring/uring-view.h"

#define CHAIN_MAX 65536 /* IORING_MAX_ENTRIES is half of it */

/* Someone who wants to meet them. */
struct visitor {
	struct uring_view *view;
	uint64_t ctx;
	void (*found)(void *arg, const struct uring_met *met);
	void *arg;
};

/* --- times that are over --- */

/* They complete when the thread runs again, which a stopped one does not: until then they are in no other list. */
static void walk_work(struct uring_view *view, uint64_t list, void (*found)(void *arg, uint64_t request), void *arg)
{
	const uint64_t within =
		uring_view_place(view, uring_view_place(view, 0, AT_io_kiocb_io_task_work), AT_io_task_work_node);
	uint64_t node = uring_view_member(view, list, AT_llist_head_first);

	for (unsigned n = 0; node && n < CHAIN_MAX && !view->error; n++) {
		found(arg, node - within);
		node = uring_view_member(view, node, AT_llist_node_next);
	}
}

static void walk_all_work(struct uring_view *view, uint64_t ctx, void (*found)(void *arg, uint64_t request), void *arg)
{
	uint64_t list = uring_view_place(view, ctx, AT_io_ring_ctx_tctx_list);
	uint64_t node = uring_view_member(view, list, AT_list_head_next);

	walk_work(view, uring_view_place(view, ctx, AT_io_ring_ctx_work_llist), found, arg);
	for (; node && node != list && !view->error; node = uring_view_member(view, node, AT_list_head_next)) {
		uint64_t task = uring_view_member(view, node - uring_view_place(view, 0, AT_io_tctx_node_ctx_node),
						  AT_io_tctx_node_task);
		uint64_t own = uring_view_member(view, task, AT_task_struct_io_uring);

		if (own)
			walk_work(view, uring_view_place(view, own, AT_io_uring_task_task_list), found, arg);
	}
}

/* The time of a request that is over, while the request itself still waits. */
struct over {
	struct uring_view *view;
	uint64_t ctx, request; /* whose time */
	uint64_t ret;	       /* 0: it is not over */
};

static uint64_t timeout_member(struct uring_view *view, uint64_t request, enum place at)
{
	return uring_view_member(view, uring_view_place(view, request, AT_io_kiocb_cmd), at);
}

static void compare_over(void *arg, uint64_t request)
{
	struct over *over = arg;

	if (uring_view_member(over->view, request, AT_io_kiocb_opcode) == IORING_OP_LINK_TIMEOUT &&
	    uring_view_member(over->view, request, AT_io_kiocb_ctx) == over->ctx &&
	    timeout_member(over->view, request, AT_io_timeout_prev) == over->request)
		over->ret = request;
}

/* --- those that wait --- */

static void meet_chain(const struct visitor *visitor, uint64_t request, bool begun)
{
	struct uring_met met = { .request = request, .begun = begun };
	struct over over = { visitor->view, visitor->ctx, request, 0 };

	visitor->found(visitor->arg, &met);
	met = (struct uring_met){ .follows = true };
	if (begun && uring_view_member(visitor->view, request, AT_io_kiocb_flags) & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK))
		walk_all_work(visitor->view, visitor->ctx, compare_over, &over);
	met.request = over.ret;
	if (met.request)
		visitor->found(visitor->arg, &met);
	met.request = uring_view_member(visitor->view, request, AT_io_kiocb_link);
	for (unsigned n = 0; met.request && n < CHAIN_MAX && !visitor->view->error; n++) {
		visitor->found(visitor->arg, &met);
		met.request = uring_view_member(visitor->view, met.request, AT_io_kiocb_link);
	}
}

static void walk_files(const struct visitor *visitor, uint64_t ctx)
{
	struct uring_view *view = visitor->view;
	uint64_t table = uring_view_place(view, ctx, AT_io_ring_ctx_cancel_table), node;
	uint64_t buckets = uring_view_member(view, table, AT_io_hash_table_hbs);
	uint64_t n = 1ull << (uring_view_member(view, table, AT_io_hash_table_hash_bits) & 15);

	for (uint64_t i = 0; i < n && !view->error; i++) {
		uring_view_read(view, buckets + i * view->bucket_size, &node, sizeof(node));
		for (; node && !view->error; node = uring_view_member(view, node, AT_hlist_node_next))
			meet_chain(visitor, node - uring_view_place(view, 0, AT_io_kiocb_hash_node), true);
	}
}

static void walk_times(const struct visitor *visitor, uint64_t ctx)
{
	struct uring_view *view = visitor->view;
	uint64_t list = uring_view_place(view, ctx, AT_io_ring_ctx_timeout_list);
	uint64_t within = uring_view_place(view, uring_view_place(view, 0, AT_io_kiocb_cmd), AT_io_timeout_list);

	for (uint64_t node = uring_view_member(view, list, AT_list_head_next); node && node != list && !view->error;
	     node = uring_view_member(view, node, AT_list_head_next))
		meet_chain(visitor, node - within, true);
}

static void meet_time(void *arg, uint64_t request)
{
	const struct visitor *visitor = arg;

	if (uring_view_member(visitor->view, request, AT_io_kiocb_opcode) == IORING_OP_TIMEOUT &&
	    uring_view_member(visitor->view, request, AT_io_kiocb_ctx) == visitor->ctx)
		meet_chain(visitor, request, true);
}

static void walk_deferred(const struct visitor *visitor, uint64_t ctx)
{
	struct uring_view *view = visitor->view;
	uint64_t list = uring_view_place(view, ctx, AT_io_ring_ctx_defer_list);
	uint64_t within = uring_view_place(view, 0, AT_io_defer_entry_list);

	for (uint64_t node = uring_view_member(view, list, AT_list_head_next); node && node != list && !view->error;
	     node = uring_view_member(view, node, AT_list_head_next))
		meet_chain(visitor, uring_view_member(view, node - within, AT_io_defer_entry_req), false);
}

void uring_requests_walk(struct uring_view *view, uint64_t ctx, void (*found)(void *arg, const struct uring_met *met),
			 void *arg)
{
	const struct visitor visitor = { view, ctx, found, arg };

	walk_files(&visitor, ctx);
	walk_times(&visitor, ctx);
	walk_all_work(view, ctx, meet_time, &(struct visitor){ view, ctx, found, arg });
	walk_deferred(&visitor, ctx);
}
