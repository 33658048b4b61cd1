/* SPDX-License-Identifier: GPL-2.0-only */
/* Sessions and groups that reach beyond the tree. */
#pragma once

struct dump;

/* Tells who is in a session or group of the tree that was killed, and so keeps its number. */
void groups_dump_killed(struct dump *d);
