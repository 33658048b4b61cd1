/* SPDX-License-Identifier: GPL-2.0-only */
/* Deleted files, restore. */
#pragma once

struct ghost;
struct restore;

/* Makes it again, for all who had it open, with as little trace in the directory as possible. */
int ghost_create(struct restore *r, struct ghost *ghost);
