/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests of an io_uring that wait for a file or for a time. */
#pragma once

#include <stdint.h>

#include "uring.pb-c.h"

struct uring_view;

/* Calls found() with the address of each struct io_kiocb. */
void uring_requests_walk(struct uring_view *view, uint64_t ctx, void (*found)(void *arg, uint64_t request), void *arg);
/*
 * Its record; tid is the number of the thread as we see it. Returns why it cannot be saved, NULL: it can. view->error
 * may be set.
 */
const char *uring_request_read(struct uring_view *view, uint64_t request, UringRequest *ret);
