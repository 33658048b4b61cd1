/* SPDX-License-Identifier: GPL-2.0-only */
/* Terminals: what their source files share. */
#pragma once

#include <stdbool.h>
#include <termios.h>

#include "tty.pb-c.h"

extern const struct file_kind tty_kind;

/* Index of terminals that have no number of their own, as in images of CRIU 4.2. */
enum { TTY_INDEX_CONSOLE = 1002, TTY_INDEX_VT = 1004, TTY_INDEX_CURRENT = 1006 };

#define TTY_MASTER 1u /* in the id of a tty_info: the master side of a pty */

/* A terminal (for ptys: one side of it), in a dump. */
struct tty_dump {
	struct tty_dump *next;
	TtyInfoEntry *info;
	int fd;		  /* a copy of the first descriptor, until the end of the dump */
	bool hung_up;	  /* the other side is closed for good */
	bool quiet_slave; /* master: no slave is open anywhere */
	const char *name;
	const struct task *task;
	int task_fd;
};

/* A terminal in a restore; for ptys: both sides of one number. */
struct tty {
	struct tty *next;
	uint32_t index;
	const TtyInfoEntry *master, *slave; /* slave: of any other terminal, too */
	struct file *master_file;
	size_t n, capacity;
	struct file **files; /* all but the master */
	int fd;		     /* slave side of ours, kept for the session leader; -1 */
	int held;	     /* master side of one that is abandoned, until the tasks run; -1 */
	bool created, settled;
};
