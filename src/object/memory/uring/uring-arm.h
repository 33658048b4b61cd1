/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests are made where the kernel is in the ring; what it has there stays. */
#pragma once

#include <stddef.h>

#include "plan/plan.h"
#include "uring.pb-c.h"

/*
 * n requests, of which each is a struct io_uring_sqe in the plan. fd: of the ring, in the task. Slots 5 and 6 are used.
 */
void uring_plan_requests(const UringEntry *record, struct plan_arg fd, size_t requests, size_t n, struct plan *plan);
/* Those of the record, from one of them on up to another; what is linked is made at once. */
void uring_plan_waiting(const UringEntry *record, struct plan_arg fd, size_t from, size_t end, struct plan *plan);
