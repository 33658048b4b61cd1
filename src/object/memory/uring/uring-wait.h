/* SPDX-License-Identifier: GPL-2.0-only */
/* What the io_urings of a task do while it stands still. */
#pragma once

#include <stdbool.h>

struct dump;
struct task;

/* Whether an io_uring of the task writes to its memory by other ways than its page tables: pre-dumps do not see that.
 */
bool uring_may_write(const struct dump *d, const struct task *task);
