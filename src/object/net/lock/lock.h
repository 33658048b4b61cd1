/* SPDX-License-Identifier: GPL-2.0-only */
/* The network lock: which connections, from when, until when. */
#pragma once

#include <stdint.h>

struct dump;
struct restore;

/* Sets the method in the inventory. */
int network_dump_begin(struct dump *d);
/* The namespace with this id is cut off as a whole. */
int network_dump_cut_off(struct dump *d, uint32_t id);
/* The namespace with this id is somebody else's: it is locked as a whole only from the end of the dump to the restore.
 */
void network_dump_add(struct dump *d, uint32_t id);
/* The tasks are about to be killed, or are left stopped: what has to last until the restore is set up; held sockets of
 * those that are killed will close unseen. */
int network_dump_lock(struct dump *d);
void network_dump_killed(struct dump *d);
/* The tasks go on, or the dump has failed: nothing stays, also after network_dump_lock(). What was locked until the
 * restore stays if the tasks are left stopped. */
void network_dump_unlock(struct dump *d);
/* The new namespace with this id is cut off as a whole, before its devices run. */
int network_restore_cut_off(struct restore *r, uint32_t id);
