/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests of an io_uring that wait for a file, for a time, or for each other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "uring.pb-c.h"

struct pool;
struct uring_met;
struct uring_view;

/*
 * Its record; tid is the number of the thread as we see it. Returns why it cannot be saved, NULL: it can. view->error
 * may be set.
 */
const char *uring_request_read(struct uring_view *view, struct pool *pool, const struct uring_met *met,
			       UringRequest *ret);
/* The memory of the program that the kernel looks at when the request is made again: calls use() for each piece. */
void uring_request_memory(const UringRequest *request,
			  void (*use)(void *arg, uint64_t address, uint64_t length, bool written), void *arg);
/* Is that one of a kind that is known? */
bool uring_request_is_known(const UringRequest *request);
/* fd is the number of a file. */
bool uring_request_has_file(const UringRequest *request);
/* It writes to its file. */
bool uring_request_pushes(const UringRequest *request);
