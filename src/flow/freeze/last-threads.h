/* SPDX-License-Identifier: GPL-2.0-only */
/* What the other threads do when the main thread of a process has ended. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct task;

/* They go on, instead of being about to end or to execute a program. To be asked every millisecond; cpu_ns is 0 at
 * first. */
bool others_live(const struct task *task, uint64_t *cpu_ns);
