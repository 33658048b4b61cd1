/* SPDX-License-Identifier: GPL-2.0-only */
/* What is set on a terminal: termios, locked termios, window size, modes, owner. */
#pragma once

#include <stdbool.h>

#include "tty.pb-c.h"

struct dump;

/* Termios, window size and the like of an open terminal into the record; -EIO, unlogged, if it is hung up. */
int tty_read_settings(const struct dump *d, int fd, TtyInfoEntry *info);
int tty_check_settings(const TtyInfoEntry *info);
/* own: a terminal made by us: also size and locks. Else only what the program itself had set. */
int tty_apply_settings(int fd, const TtyInfoEntry *info, bool own);
