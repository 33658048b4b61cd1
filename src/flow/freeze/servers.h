/* SPDX-License-Identifier: GPL-2.0-only */
/* Who serves a FUSE file system to others of the tree has to be stopped last. */
#pragma once

#include <stdbool.h>

struct dump;
struct task;

/* Somebody of the tree may wait for this one's answer, and does not stop before he has it; or for somebody who has to
 * help with that. */
bool freeze_serves_others(const struct dump *d, const struct task *task);
