/* SPDX-License-Identifier: GPL-2.0-only */
/* How a dump ends: commit, or as if nothing had been. */
#pragma once

#include "session/session.h"

/* All is written but the inventory: what cannot be taken back, the inventory, what has to hold until the restore. */
int dump_commit(struct dump *d);
/* Lets the tasks run on, if they shall and nothing is wanted of them any more; --live: and saves their memory as it
 * was.
 */
int dump_go_live(struct dump *d);
/* The last image, and the checksums of all. Also of a pre-dump. */
int dump_write_inventory(struct dump *d);
/* error: of anything before. Then there is no inventory, and the tasks are as they were; else they are killed, stopped
 * or run on, as the options say. */
void dump_let_go(struct dump *d, int error);
