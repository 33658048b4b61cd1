/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups of a restore. */
#pragma once

struct restore;

/* All the cgroups are there, and what must be true before a task enters them; none exists yet that was made by us on
 * failure. */
int cgroup_restore_make(struct restore *r);
/* The restore has failed and all tasks are dead: removes the directories that were made. */
void cgroup_restore_undo(struct restore *r);
