/* SPDX-License-Identifier: GPL-2.0-only */
/* The broker: a process that shares our descriptors and lives in the user namespace of the tree. The tasks, which have
 * no rights over us, fetch our descriptors from it. It is made before them, so that they are born with a pidfd of it,
 * and goes over when the namespace is there. */
#pragma once

#include <sys/types.h>

struct broker;
struct pool;
struct task_tree;

/* avoid: with none of the pids of its threads; may be NULL. */
int broker_begin(struct pool *pool, const struct task_tree *avoid, struct broker **ret);
int broker_pidfd(const struct broker *broker); /* stays with it */
pid_t broker_pid(const struct broker *broker);
int broker_enter(struct broker *broker, int user_ns);
void broker_end(struct broker **broker);
