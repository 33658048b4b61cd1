/* SPDX-License-Identifier: GPL-2.0-only */
/* User namespaces: how they are told from each other. */
#pragma once

#include "object/namespace/namespace.h"
#include "userns.pb-c.h"

struct id_maps;

/* By /proc/PID of a process in it. */
int user_read_maps(struct pool *pool, int proc, UsernsEntry *entry);
/* What all that is looked at later is translated by. */
struct id_maps *user_maps_of(struct pool *pool, const UsernsEntry *entry);
/* Restore: the groups that new tasks have before they get their own. */
void user_choose_groups(const struct restore *r, const UsernsEntry *entry);

/* --- those within that of the root --- */

#define USERS_MAX 1024 /* in which nobody lives */

/* Dump: the maps of one, and who owns it, by /proc/PID of a process in it. */
int user_read(const struct dump *d, struct namespace *ns, int proc);

/* All are loaded: none lies within itself. */
int user_check_nesting(const struct restore *r);
