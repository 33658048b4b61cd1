/* SPDX-License-Identifier: GPL-2.0-only */
/* Letting a frozen tree go: running, stopped or killed. */
#pragma once

struct dump;

/* The tasks run on, as they were found; they can still be looked at from outside. */
void release_tree(struct dump *d);
/* Lets all tasks go as they were found. Safe at any moment of a dump: threads that are away in the blob are brought
 * home first. */
void thaw_tree(struct dump *d);
/* Leaves them stopped by SIGSTOP. */
void stop_tree(struct dump *d);
/* They will be stopped by SIGSTOP whoever lets them go, and be it that we die; and back. */
void hold_tree(struct dump *d);
void unhold_tree(struct dump *d);
/* Kills all tasks, and waits until they are gone (or zombies). */
void kill_tree(struct dump *d);
