/* SPDX-License-Identifier: GPL-2.0-only */
/* Terminals, restore: which terminal a file gets, whose controlling terminal it is, who is in the foreground. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tty.pb-c.h"

struct file;
struct plan;
struct restore;
struct task;
struct tty;

/* Bytes for a queue by tty_info id, NULL if there are none. */
const TtyDataEntry *tty_find_data(struct restore *r, uint32_t id);
/* The session that it controls, 0 if none. */
pid_t tty_session(const struct tty *tty);
/* A pty whose slave alone was in the tree; the client of the service has asked for the master of the new one. */
bool tty_is_orphan(struct restore *r, const struct tty *tty);
/* One that the engine of a process that joined the tree had the master of: hung up when the tasks run. */
bool tty_is_abandoned(struct restore *r, const struct tty *tty);
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
