/* SPDX-License-Identifier: GPL-2.0-only */
/* Terminals: what their source files share. */
#pragma once

#include <termios.h>

#include "object/file/regular/regular.h"
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
	bool created, settled;
};

/* tty-settings.c */
/* Termios, window size and the like of an open terminal into the record; -EIO, unlogged, if it is hung up. */
int tty_read_settings(const struct dump *d, int fd, TtyInfoEntry *info);
int tty_check_settings(const TtyInfoEntry *info);
/* own: a terminal made by us: also size and locks. Else only what the program itself had set. */
int tty_apply_settings(int fd, const TtyInfoEntry *info, bool own);

/* tty-queue.c */
/* What waits in both queues of a pty into the image; it is read and put back. slave may be NULL. */
int tty_dump_queues(struct dump *d, const struct tty_dump *master, const struct tty_dump *slave, struct image *image);
/* Restore: puts bytes into the queue that the master reads, or the one that the slave reads. */
int tty_fill_master(int master, int slave, const void *data, size_t size);
int tty_fill_slave(int master, int slave, const void *data, size_t size);

/* tty-pty.c: makes both sides and all openings of them. */
int tty_create_pty(struct restore *r, struct tty *tty);

/* tty-current.c: opens the pty as /dev/tty. No session may have it yet. */
int tty_open_current(int slave, uint32_t flags, int *ret_fd);

/* tty-restore.c: the kind's phases. */
/* Bytes for a queue by tty_info id, NULL if there are none. */
const TtyDataEntry *tty_find_data(struct restore *r, uint32_t id);
/* The session that it controls, 0 if none. */
pid_t tty_session(const struct tty *tty);
/* A pty whose slave alone was in the tree; the client of the service has asked for the master of the new one. */
bool tty_is_orphan(struct restore *r, const struct tty *tty);
int tty_prepare(const struct restore *r);
int tty_load(const struct restore *r, struct file *f);
int tty_link(const struct restore *r, struct file *f);
int tty_needs(const struct restore *r, struct file *f);
int tty_create(struct restore *r, struct file *f);
int tty_plan_session(struct restore *r, struct task *leader, struct plan *p);
int tty_plan_task(struct restore *r, struct task *task, struct plan *p);
int tty_settle(struct restore *r, struct file *f);
int tty_clean(struct restore *r);
/* Makes a pty before the files are made, where its devpts is mounted already. -ENOENT, unlogged: it is none that we
 * make. */
int tty_make_pty(struct restore *r, uint32_t number);
