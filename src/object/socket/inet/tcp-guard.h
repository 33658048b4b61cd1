/* SPDX-License-Identifier: GPL-2.0-only */
/* Around repair mode of a socket that a task has: if we are killed in between, somebody else ends it. */
#pragma once

#include <stdbool.h>

struct list;
struct tcp_guard;

/* Leaves repair mode without the probe that asks the other side for its window. The mode takes SO_REUSEADDR away: it is
 * set to reuse. 0 or -errno, not logged. */
int tcp_leave_repair(int fd, int reuse);
int tcp_guard_start(struct tcp_guard **guard, struct list *parked); /* it lets the parked tasks run when we are dead */
void tcp_guard_enter(struct tcp_guard *guard, int fd, bool reuse);
int tcp_guard_leave(struct tcp_guard *guard); /* leaves repair mode */
void tcp_guard_end(struct tcp_guard **guard);
