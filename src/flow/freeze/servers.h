/* SPDX-License-Identifier: GPL-2.0-only */
/* Who serves a FUSE file system to others of the tree has to be stopped last. */
#pragma once

#include <stdbool.h>

struct dump;
struct task;

/* Before anything stands still: what the kernel has of their files and they have not, they get now. Refuses what serves
 * a mount that is not saved. */
int freeze_sync_served(struct dump *d);
/* Somebody of the tree may wait for this one's answer, and does not stop before he has it; or for somebody who has to
 * help with that. */
bool freeze_serves_others(struct dump *d, const struct task *task);
