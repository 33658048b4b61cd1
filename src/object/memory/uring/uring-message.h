/* SPDX-License-Identifier: GPL-2.0-only */
/* What a request of an io_uring has told by memory of the program that may be another one by now: the kernel's copy. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "uring.pb-c.h"

struct pool;
struct uring_view;

/* Each returns why it cannot be saved, NULL: it can. */

/* The pieces of memory of an iov_iter, to parts. */
const char *uring_read_parts(struct uring_view *view, struct pool *pool, uint64_t iter, UringRequest *ret);
/* message: struct io_async_msghdr; the address that it is sent to, if it has one. */
const char *uring_read_name(struct uring_view *view, struct pool *pool, uint64_t message, uint64_t length,
			    UringRequest *ret);
/* Of SENDMSG, of RECVMSG, and of one of these that goes on and on. */
const char *uring_read_sent(struct uring_view *view, struct pool *pool, uint64_t cmd, uint64_t message,
			    UringRequest *ret);
const char *uring_read_received(struct uring_view *view, struct pool *pool, uint64_t message, bool goes_on,
				UringRequest *ret);
