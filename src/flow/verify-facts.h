/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in a checkpoint: tasks, files by kind, memory, kernel features that it needs. */
#pragma once

struct restore;
struct verified;

/* What is in it. */
void verify_collect_facts(struct restore *r, struct verified *ret);
/* And the kernel features that it needs, when all kinds and parts have told theirs. */
void verify_add_features(struct restore *r, struct verified *ret);
