/* SPDX-License-Identifier: GPL-2.0-only */
/* What a restore that has failed leaves: nothing. */
#pragma once

struct restore;

/* Kills everything that was made. */
void restore_kill(struct restore *r);
