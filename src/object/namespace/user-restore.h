/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore of a user namespace. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "creds.pb-c.h"
#include "userns.pb-c.h"

struct namespace;
struct plan;
struct restore;

/* The credentials of the root task, NULL if the images have none. */
const CredsEntry *user_creds_of_root(const struct restore *r);

/* New tasks have groups that nobody can change in there. */
bool user_groups_are_fixed(const struct restore *r);
/* Those, as we see them. */
uint32_t *user_outer_groups(const struct restore *r);
int user_take_groups(const struct restore *r);

/* The loginuid of this thread, which the first one of the tree is born with and hands on. */
struct user_login {
	bool changed;
	uint32_t old;
};

void user_login_take(const struct restore *r, struct user_login *login);
void user_login_leave(const struct user_login *login);

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
