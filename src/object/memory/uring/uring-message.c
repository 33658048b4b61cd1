/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a request of an io_uring has told by memory of the program: struct msghdr, struct iovec, addresses. The kernel
 * has read that when the request was made, and the program may have used the memory for other ends since. So the
 * kernel's copy is saved.
 */
#include "object/memory/uring/uring-message.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include "base/pool.h"
#include "object/memory/uring/uring-view.h"

#define PARTS_MAX 1024 /* UIO_MAXIOV */

static UringPart *add_part(struct pool *pool, uint64_t address, uint64_t length, UringRequest *ret)
{
	UringPart *part = pool_new(pool, UringPart);

	uring_part__init(part);
	part->address = address;
	part->length = length;
	ret->parts[ret->n_parts++] = part;
	return part;
}

const char *uring_read_parts(struct uring_view *view, struct pool *pool, uint64_t iter, UringRequest *ret)
{
	const int64_t type = (int64_t)uring_view_member(view, iter, AT_iov_iter_iter_type);
	const uint64_t n = type == view->one_part ? 1 : uring_view_member(view, iter, AT_iov_iter_nr_segs);
	const uint64_t first = uring_view_member(view, iter, AT_iov_iter___iov);

	if (type != view->one_part && type != view->parts)
		return "its memory is not as it is known";
	if (uring_view_member(view, iter, AT_iov_iter_iov_offset))
		return "a part of it is done";
	if (n > PARTS_MAX)
		return "its memory is not as it is known";
	ret->parts = pool_array(pool, UringPart *, n + 1);
	if (type == view->one_part) {
		add_part(pool, first, uring_view_member(view, iter, AT_iov_iter_count), ret);
		return NULL;
	}
	for (uint64_t i = 0; i < n; i++) {
		struct iovec one;

		uring_view_read(view, first + i * sizeof(one), &one, sizeof(one));
		add_part(pool, (uintptr_t)one.iov_base, one.iov_len, ret);
	}
	return NULL;
}

const char *uring_read_name(struct uring_view *view, struct pool *pool, uint64_t message, uint64_t length,
			    UringRequest *ret)
{
	if (!length)
		return NULL;
	if (length > sizeof(struct sockaddr_storage))
		return "its address is not as it is known";
	ret->has_name = true;
	ret->name.len = length;
	ret->name.data = pool_alloc(pool, length);
	uring_view_read(view, uring_view_place(view, message, AT_io_async_msghdr_addr), ret->name.data, length);
	return NULL;
}

static UringHeader *make_header(struct pool *pool, UringRequest *ret)
{
	ret->header = pool_new(pool, UringHeader);
	uring_header__init(ret->header);
	return ret->header;
}

const char *uring_read_sent(struct uring_view *view, struct pool *pool, uint64_t cmd, uint64_t message,
			    UringRequest *ret)
{
	const uint64_t msg = uring_view_place(view, message, AT_io_async_msghdr_msg);
	UringHeader *header = make_header(pool, ret);
	const char *why = NULL;

	header->control = uring_view_member(view, cmd, AT_io_sr_msg_msg_control);
	header->control_length = header->control ? uring_view_member(view, msg, AT_msghdr_msg_controllen) : 0;
	if (uring_view_member(view, msg, AT_msghdr_msg_name))
		why = uring_read_name(view, pool, message, uring_view_member(view, msg, AT_msghdr_msg_namelen), ret);
	header->name_length = (uint32_t)ret->name.len;
	return why ? why : uring_read_parts(view, pool, uring_view_place(view, msg, AT_msghdr_msg_iter), ret);
}

const char *uring_read_received(struct uring_view *view, struct pool *pool, uint64_t message, bool goes_on,
				UringRequest *ret)
{
	const uint64_t msg = uring_view_place(view, message, AT_io_async_msghdr_msg);
	UringHeader *header = make_header(pool, ret);

	header->name = uring_view_member(view, message, AT_io_async_msghdr_uaddr);
	header->has_name = header->name;
	header->control = uring_view_member(view, msg, AT_msghdr_msg_control_user);
	if (goes_on) {
		header->name_length = (uint32_t)uring_view_member(view, message, AT_io_async_msghdr_namelen);
		header->control_length = uring_view_member(view, message, AT_io_async_msghdr_controllen);
		return NULL;
	}
	header->name_length = header->name ? sizeof(struct sockaddr_storage) : 0;
	header->control_length = uring_view_member(view, msg, AT_msghdr_msg_controllen);
	return ret->has_group ? NULL
			      : uring_read_parts(view, pool, uring_view_place(view, msg, AT_msghdr_msg_iter), ret);
}
