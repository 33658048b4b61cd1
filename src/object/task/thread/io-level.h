/* SPDX-License-Identifier: GPL-2.0-only */
/* iopl(2) of other threads. */
#pragma once

#include <stdint.h>

#include "session/session.h"

/* Before anything stands still: finds out how to ask. */
int io_level_begin(struct dump *d);
/* 0 to 3. What cannot be known is told as a loss, of threads that may have changed it. */
uint32_t io_level_of(const struct dump *d, const struct thread *thread);
