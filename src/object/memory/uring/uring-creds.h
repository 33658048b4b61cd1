/* SPDX-License-Identifier: GPL-2.0-only */
/* Credentials that the kernel keeps for an io_uring and its requests. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct uring_view;

/* Addresses of struct cred: do both allow the same? Another object may have the same in it. */
bool uring_creds_are_equal(struct uring_view *view, uint64_t one, uint64_t other);
