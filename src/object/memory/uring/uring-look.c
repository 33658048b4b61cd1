/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel knows of an io_uring. /proc/PID/fdinfo shows the positions, but neither how it was set up nor what is
 * under way, and what cannot be seen cannot be saved. So its structures are read (kern/peek.h), by the places that the
 * kernel itself tells (kern/btf.h). A structure that is not as it is known is a refusal, never a guess.
 */
#include "object/memory/uring/uring-look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/fail.h"
#include "kern/peek.h"
#include "object/memory/uring/uring-names.h"
#include "object/memory/uring/uring-view.h"
#include "object/memory/uring/uring-walk.h"
#include "session/session.h"

#define REQUESTS_MAX 1000000 /* followed in one list */
#define NAMES_MAX    8

static const char *find_obstacle(struct uring_view *view, uint64_t ctx)
{
	const struct {
		bool there;
		const char *what;
	} obstacles[] = {
		{ uring_view_member(view, ctx, AT_io_ring_ctx_compat), "a 32-bit program made it" },
		{ uring_view_member(view, uring_view_place(view, ctx, AT_io_ring_ctx_restrictions),
				    AT_io_restriction_registered),
		  "it is restricted (IORING_REGISTER_RESTRICTIONS)" },
		{ view->places[AT_io_ring_ctx_zcrx_ctxs].size &&
			  uring_view_member(view, uring_view_place(view, ctx, AT_io_ring_ctx_zcrx_ctxs),
					    AT_xarray_xa_head),
		  "it receives without copying (IORING_REGISTER_ZCRX_IFQ)" },
		{ uring_view_member(view, ctx, AT_io_ring_ctx_napi_track_mode) == 1,
		  "it polls devices (IORING_REGISTER_NAPI)" },
		{ view->places[AT_io_ring_ctx_param_region].size &&
			  uring_view_member(view, uring_view_place(view, ctx, AT_io_ring_ctx_param_region),
					    AT_io_mapped_region_ptr),
		  "it has a region of parameters (IORING_REGISTER_MEM_REGION)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(obstacles); i++)
		if (obstacles[i].there)
			return obstacles[i].what;
	return NULL;
}

/* All requests that the kernel has memory for, but those that it keeps for later. */
static uint64_t count_requests(struct uring_view *view, uint64_t ctx)
{
	uint64_t all = uring_view_member(view, ctx, AT_io_ring_ctx_nr_req_allocated), free = 0;
	uint64_t node = uring_view_place(view, uring_view_place(view, ctx, AT_io_ring_ctx_submit_state),
					 AT_io_submit_state_free_list);

	while ((node = uring_view_member(view, node, AT_io_wq_work_node_next)) && free < REQUESTS_MAX)
		free++;
	return all > free ? all - free : 0;
}

/* Someone who names them. */
struct uring_naming {
	struct uring_view *view;
	struct uring_look *look;
};

static void name_request(void *arg, const struct uring_met *met)
{
	const struct uring_naming *naming = arg;
	struct uring_look *look = naming->look;
	size_t used = strlen(look->requests);

	if (look->n_waiting++ < NAMES_MAX)
		snprintf(look->requests + used, sizeof(look->requests) - used, "%s%s", used ? ", " : "",
			 uring_request_name(
				 (unsigned)uring_view_member(naming->view, met->request, AT_io_kiocb_opcode)));
}

static uint64_t first_waiting(struct uring_view *view, uint64_t ctx)
{
	uint64_t list = uring_view_place(view, ctx, AT_io_ring_ctx_cq_overflow_list),
		 next = uring_view_member(view, list, AT_list_head_next);

	return next == list ? 0 : next;
}

/* The threads that have used it tell by which numbers they know it. */
static void find_numbers(struct uring_view *view, uint64_t file, struct uring_look *look)
{
	uint64_t list = uring_view_place(view, look->ctx, AT_io_ring_ctx_tctx_list),
		 entry = uring_view_member(view, list, AT_list_head_next);

	for (; entry && entry != list && !view->error; entry = uring_view_member(view, entry, AT_list_head_next)) {
		uint64_t task = uring_view_member(view, entry - uring_view_place(view, 0, AT_io_tctx_node_ctx_node),
						  AT_io_tctx_node_task);
		uint64_t known[URING_NUMBERS] = { 0 }, own = uring_view_member(view, task, AT_task_struct_io_uring);

		if (own)
			uring_view_read(view, uring_view_place(view, own, AT_io_uring_task_registered_rings), known,
					sizeof(known));
		for (uint32_t i = 0; i < URING_NUMBERS; i++) {
			if (known[i] != file)
				continue;
			if (look->n_numbers == URING_NUMBERS_MAX)
				look->obstacle = "too many threads know it by registered numbers";
			else
				look->numbers[look->n_numbers++] =
					(struct uring_number){ uring_view_tid(view, task), i };
		}
	}
}

int uring_look(const struct dump *d, int fd, struct uring_look *ret)
{
	struct uring_view *view;
	uint64_t file, ctx;

	TRY(uring_view_get(d, &view));
	memset(ret, 0, sizeof(*ret));
	file = uring_view_file(view, fd);
	ret->ctx = ctx = uring_view_member(view, file, AT_file_private_data);
	ret->rings = uring_view_member(view, ctx, AT_io_ring_ctx_rings);
	ret->sqes = uring_view_member(view, ctx, AT_io_ring_ctx_sq_sqes);
	ret->array = uring_view_member(view, ctx, AT_io_ring_ctx_sq_array);
	ret->setup = (uint32_t)uring_view_member(view, ctx, AT_io_ring_ctx_flags);
	ret->sq_entries = (uint32_t)uring_view_member(view, ctx, AT_io_ring_ctx_sq_entries);
	ret->cq_entries = (uint32_t)uring_view_member(view, ctx, AT_io_ring_ctx_cq_entries);
	ret->sq_head = (uint32_t)uring_view_member(view, ctx, AT_io_ring_ctx_cached_sq_head);
	ret->cq_tail = (uint32_t)uring_view_member(view, ctx, AT_io_ring_ctx_cached_cq_tail);
	ret->drain_disabled = uring_view_member(view, ctx, AT_io_ring_ctx_drain_disabled);
	ret->pins_memory =
		uring_view_member(view, uring_view_place(view, ctx, AT_io_ring_ctx_buf_table), AT_io_rsrc_data_nr);
	ret->submitter = uring_view_tid(view, uring_view_member(view, ctx, AT_io_ring_ctx_submitter_task));
	ret->cqes_offset = view->places[AT_io_rings_cqes].offset;
	uring_view_read(view, ret->rings, &ret->shared, sizeof(ret->shared));
	if (view->error)
		return uring_view_give_up(view);
	if (view->places[AT_io_rings_cq_overflow].offset != offsetof(struct uring_rings, cq_overflow) ||
	    ret->shared.sq_mask != ret->sq_entries - 1 || ret->shared.cq_mask != ret->cq_entries - 1)
		return refuse(EOPNOTSUPP, "the memory of this io_uring is not as it is known");
	ret->obstacle = find_obstacle(view, ctx);
	ret->under_way = count_requests(view, ctx);
	if (ret->under_way)
		uring_requests_walk(view, ctx, name_request, &(struct uring_naming){ view, ret });
	ret->next_overflow = first_waiting(view, ctx);
	find_numbers(view, file, ret);
	return view->error ? uring_view_give_up(view) : 0;
}

int uring_look_at(const struct dump *d, uint64_t address, void *to, uint64_t size)
{
	struct uring_view *view;

	TRY(uring_view_get(d, &view));
	uring_view_read(view, address, to, size);
	return view->error ? uring_view_give_up(view) : 0;
}

int uring_look_waiting(const struct dump *d, struct uring_look *look, struct uring_waiting *ret)
{
	struct uring_view *view;
	uint64_t entry, list;

	TRY(uring_view_get(d, &view));
	list = uring_view_place(view, look->ctx, AT_io_ring_ctx_cq_overflow_list);
	entry = look->next_overflow - uring_view_place(view, 0, AT_io_overflow_cqe_list);
	uring_view_read(view, uring_view_place(view, entry, AT_io_overflow_cqe_cqe), ret, sizeof(*ret));
	look->next_overflow = uring_view_member(view, look->next_overflow, AT_list_head_next);
	if (look->next_overflow == list)
		look->next_overflow = 0;
	return view->error ? uring_view_give_up(view) : 0;
}
