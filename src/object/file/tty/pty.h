/* SPDX-License-Identifier: GPL-2.0-only */
/* Ptys, restore: both sides are made together, under the old number if it is free. */
#pragma once

struct restore;
struct tty;

/* Makes both sides and all openings of them. */
int tty_create_pty(struct restore *r, struct tty *tty);
