/* SPDX-License-Identifier: GPL-2.0-only */
/* User namespaces: what user.c and user-restore.c share. */
#pragma once

#include "object/namespace/namespace.h"
#include "userns.pb-c.h"

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

/* --- those within that of the root --- */

#define USERS_MAX 1024 /* in which nobody lives */

/* Dump: the maps of one, and who owns it, by /proc/PID of a process in it. */
int user_read(const struct dump *d, struct namespace *ns, int proc);
/* user-owners.c: which owns which; those in which nobody lives are found. */
int user_collect_owners(const struct dump *d);
int user_tell_between(const struct dump *d, const struct namespace *ns);

/* All are loaded: none lies within itself. */
int user_check_nesting(const struct restore *r);
/* Made, with its maps and a broker; that around it exists. */
int user_make_inner(struct restore *r, struct namespace *ns);
/* Steps of a task that goes into it: it takes its ids first. Slots: a pidfd of who stands in for us, and a free one. */
void user_plan_inner(struct restore *r, struct task *task, const struct namespace *ns, struct plan *plan, unsigned us,
		     unsigned slot);

/* broker.c */
struct broker;
/* avoid: with none of the pids of its threads; may be NULL. */
int broker_begin(struct pool *pool, const struct task_tree *avoid, struct broker **ret);
int broker_pidfd(const struct broker *broker); /* stays with it */
pid_t broker_pid(const struct broker *broker);
int broker_enter(struct broker *broker, int user_ns);
void broker_end(struct broker **broker);
