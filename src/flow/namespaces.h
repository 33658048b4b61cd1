/* SPDX-License-Identifier: GPL-2.0-only */
/* Namespaces of the tasks: by now they must be those of criu itself. */
#pragma once

#include "session/session.h"

/* The numbers of our own namespaces: d->inventory->root_ids. */
int namespaces_dump_self(struct dump *d);
/* Sets the namespace ids of task->ids; refuses a task that lives in another namespace. */
int namespaces_dump_task(struct dump *d, struct task *task);
/* What is true of the host: its clocks (timens-0.img), its security module. */
int namespaces_write(struct dump *d);

/* Whether the tree has a network of its own. 1, 0 or -errno. */
int namespaces_dump_own_network(struct dump *d);
/* At load: refuses images of tasks that had namespaces of their own. */
int namespaces_restore_check(struct restore *r);
