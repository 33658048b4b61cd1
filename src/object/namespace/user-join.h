/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore into a user namespace that the user gives (--join-ns user). */
#pragma once

#include <stdbool.h>

struct namespace;
struct plan;
struct restore;
struct root_birth;

bool user_is_joined(const struct restore *r);
/* Its maps are those that the tree will live by. */
int user_join(const struct restore *r, struct namespace *ns);
/* What is given and what is to be made is known: how the root task is born. */
void user_join_prepare(struct restore *r);
/* r->give_birth of such a tree. */
int user_join_birth(struct restore *r, const struct root_birth *birth);
/* The root task exists, and has done nothing yet: it enters all that is given and makes what is not. */
int user_join_enter(struct restore *r);
/* A step of who is about to enter it: the groups that nobody can change in there. */
void user_plan_groups(const struct restore *r, struct plan *plan);
