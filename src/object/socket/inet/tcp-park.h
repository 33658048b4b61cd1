/* SPDX-License-Identifier: GPL-2.0-only */
/* Parked tasks: none of them runs right after our death into a connection in repair mode. */
#pragma once

struct dump;
struct list;
struct table;

/* Parks all tasks that have one of the files with these ids (keys; any value). All must be unparked, also after a
 * failure. */
int tcp_park(struct dump *d, struct table *ids, struct list *parked);
int tcp_unpark(struct list *parked);
void tcp_hold_parked(struct list *parked); /* there is a guard: should we die, they wait for it; */
void tcp_wake_parked(struct list *parked); /* for the guard: they need not wait longer */
