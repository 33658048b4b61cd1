/* SPDX-License-Identifier: GPL-2.0-only */
/* Credentials that the kernel keeps for an io_uring and its requests. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "creds.pb-c.h"

struct dump;
struct task;
struct uring_view;

/* Addresses of struct cred: do both allow the same? Another object may have the same in it. */
bool uring_creds_are_equal(struct uring_view *view, uint64_t one, uint64_t other);
/* Those of criu. */
uint64_t uring_creds_own(struct uring_view *view);
/*
 * Their record; what refuses names whose they are. What cannot be given back is refused: those of a user namespace, or
 * of a task that a security module confines.
 */
int uring_creds_dump(const struct dump *d, struct uring_view *view, const struct task *task, uint64_t creds,
		     const char *whose, CredsEntry **ret);
