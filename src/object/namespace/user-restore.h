/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore of a user namespace. */
#pragma once

#include "creds.pb-c.h"
#include "userns.pb-c.h"

struct namespace;
struct plan;
struct restore;

/* The credentials of the root task, NULL if the images have none. */
const CredsEntry *user_creds_of_root(const struct restore *r);

/* Nothing is there yet: r->give_birth, r->stand_in. */
int user_make(struct restore *r);
/* The root task exists: its maps. */
int user_born(struct restore *r, struct namespace *ns);
/* The end, whether it comes early or not: files are made as ourselves again. */
int user_settle(struct restore *r, struct namespace *ns);
void user_clean(struct restore *r, struct namespace *ns);
/* Its first steps, if it lives in one: it becomes root over there. */
int user_plan_root(const struct restore *r, struct plan *plan);

/* By /proc/PID of a process in it; we live around it. */
int user_write_maps(int proc, const UsernsEntry *entry);
