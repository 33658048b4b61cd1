/* SPDX-License-Identifier: GPL-2.0-only */
/* User namespaces: how they are told from each other. */
#pragma once

#include "object/namespace/namespace.h"
#include "userns.pb-c.h"

/* --- those within that of the root --- */

#define USERS_MAX 1024 /* in which nobody lives */

/* Dump: the maps of one, and who owns it, by /proc/PID of a process in it. */
int user_read(const struct dump *d, struct namespace *ns, int proc);

/* All are loaded: none lies within itself. */
int user_check_nesting(const struct restore *r);
