/* SPDX-License-Identifier: GPL-2.0-only */
/* Terminals, restore: which terminal a file gets, whose controlling terminal it is, who is in the foreground. */
#include "object/file/tty/restore.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/table.h"
#include "image/image.h"
#include "image/record.h"
#include "object/file/descriptors-restore.h"
#include "object/file/file.h"
#include "object/file/needs.h"
#include "object/file/regular/open.h"
#include "object/file/regular/regular.h"
#include "object/file/tty/current.h"
#include "object/file/tty/pty.h"
#include "object/file/tty/settings.h"
#include "object/file/tty/tty.h"
#include "plan/plan.h"
#include "session/given.h"
#include "session/needs.h"
#include "session/pids.h"

#define SLOT_TTY 1

struct tty_restore {
	struct table *infos, *data; /* by tty_info id */
	struct table *ttys;	    /* by index */
	struct tty *first;
};

static void destroy_restore(void *state)
{
	struct tty_restore *set = state;

	for (struct tty *tty = set->first; tty; tty = tty->next) {
		auto_close(&tty->fd);
		auto_close(&tty->held);
	}
	table_destroy(&set->infos);
	table_destroy(&set->data);
	table_destroy(&set->ttys);
}

static const struct state_type tty_restore_state = { sizeof(struct tty_restore), destroy_restore };

static struct tty_restore *get_restore(const struct restore *r)
{
	struct tty_restore *set = state_get(r->states, &tty_restore_state);

	if (!set->infos) {
		set->infos = table_create();
		set->data = table_create();
		set->ttys = table_create();
	}
	return set;
}

const TtyDataEntry *tty_find_data(struct restore *r, uint32_t id)
{
	return table_find(get_restore(r)->data, id);
}

pid_t tty_session(const struct tty *tty)
{
	uint32_t sid = tty->slave ? tty->slave->sid : 0;

	if (!sid && tty->master)
		sid = tty->master->sid;
	return (pid_t)sid;
}

static void print_key(const TtyInfoEntry *info, char *to, size_t capacity)
{
	snprintf(to, capacity, "tty[%x:%x]", info->rdev, info->dev);
}

/* The user gives another terminal for it. */
static bool is_given(struct restore *r, const struct tty *tty)
{
	const struct opt_inherit_fds *given = &r->options->inherit_fds;
	char key[48];

	if (!tty->slave)
		return false;
	print_key(tty->slave, key, sizeof(key));
	for (size_t i = 0; i < given->n; i++)
		if (!strcmp(given->items[i].key, key))
			return true;
	return false;
}

bool tty_is_abandoned(struct restore *r, const struct tty *tty)
{
	return tty->slave && tty->slave->abandoned && tty->slave->type == TTY_TYPE__PTY && tty->slave->termios &&
	       !tty->master_file && !is_given(r, tty);
}

bool tty_is_orphan(struct restore *r, const struct tty *tty)
{
	const struct options *options = r->options;

	if (tty_is_abandoned(r, tty) || !options->orphan_pts_master || !options->notify_scripts || !r->listener)
		return false;
	/* Clients want masters of whatever they run: that of a session outside is not meant, if there is another. */
	if (options->shell_job && !task_tree_find(r->tree, tty_session(tty)))
		return false;
	return tty->slave && tty->slave->type == TTY_TYPE__PTY && tty->slave->termios && !tty->master_file &&
	       !is_given(r, tty);
}

/* We make it, both sides. */
static bool is_ours(struct restore *r, const struct tty *tty)
{
	return tty->master_file || tty_is_orphan(r, tty) || tty_is_abandoned(r, tty);
}

static bool is_master(const TtyInfoEntry *info)
{
	return info->type == TTY_TYPE__PTY && info->id & TTY_MASTER;
}

static int add_info(const struct restore *r, const TtyInfoEntry *info)
{
	struct tty_restore *set = get_restore(r);
	struct tty *tty = table_find(set->ttys, info->id / 2);

	TRY(tty_check_settings(info));
	if (!tty) {
		tty = pool_new(r->pool, struct tty);
		tty->index = info->id / 2;
		tty->fd = tty->held = -1;
		tty->next = set->first;
		set->first = tty;
		table_set(set->ttys, tty->index, tty);
	}
	if (is_master(info))
		tty->master = info;
	else
		tty->slave = info;
	table_set(set->infos, info->id, (void *)info);
	return 0;
}

int tty_prepare(const struct restore *r)
{
	AUTO(image_close) struct image *infos = NULL, *queues = NULL;
	TtyInfoEntry *info;
	TtyDataEntry *data;
	int more = image_open(r->store, &infos, IMAGE_TTY_INFO);

	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(infos, &info)) > 0)
		TRY(add_info(r, info));
	TRY(more);
	more = image_open(r->store, &queues, IMAGE_TTY_DATA);
	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(queues, &data)) > 0)
		table_set(get_restore(r)->data, data->tty_id, data);
	return more;
}

static void join_tty(const struct restore *r, struct tty *tty, struct file *f)
{
	if (tty->n == tty->capacity) {
		struct file **old = tty->files;

		tty->capacity = tty->capacity ? tty->capacity * 2 : 4;
		tty->files = pool_array(r->pool, struct file *, tty->capacity);
		for (size_t i = 0; i < tty->n; i++)
			tty->files[i] = old[i];
	}
	tty->files[tty->n++] = f;
}

int tty_load(const struct restore *r, struct file *f)
{
	uint32_t id = f->entry->tty->tty_info_id;
	const TtyInfoEntry *info = table_find(get_restore(r)->infos, id);
	struct tty *tty = f->data = table_find(get_restore(r)->ttys, id / 2);

	if (!info)
		return refuse(EINVAL, "terminal %u is not in tty-info.img", id);
	if (!is_master(info))
		join_tty(r, tty, f);
	else if (tty->master_file)
		return refuse(EINVAL, "files.img: pty %u has two masters", tty->index);
	else
		tty->master_file = f;
	return 0;
}

/* The path is not needed for ptys, but it must make sense. */
int tty_link(const struct restore *r, struct file *f)
{
	const TtyFileEntry *record = f->entry->tty;
	const RegFileEntry *path;

	return regular_find_record(r, record->has_regf_id ? record->regf_id : f->id, &path);
}

/* --- which terminal --- */

static int open_again(int fd, uint32_t flags, int *ret_fd)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	*ret_fd = open(name, (int)(flags & (O_ACCMODE | O_NONBLOCK)) | O_NOCTTY | O_CLOEXEC);
	return *ret_fd < 0 ? fail_errno("opening the terminal") : 0;
}

/* --shell-job: the terminal that criu itself was started on. */
static int open_ours(uint32_t flags, int *ret_fd)
{
	AUTO_CLOSE int current = -1;

	for (int fd = 0; fd <= 2; fd++)
		if (isatty(fd))
			return open_again(fd, flags, ret_fd);
	current = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (current < 0)
		return refuse(ENOTTY,
			      "--shell-job gives the program the terminal that criu runs on, but there is none");
	return open_again(current, flags, ret_fd);
}

/* The terminal of the session of the file's owner, if that is in the tree. */
static struct tty *find_controlling(struct restore *r, pid_t sid)
{
	for (struct tty *tty = get_restore(r)->first; tty; tty = tty->next)
		if (sid && tty_session(tty) == sid &&
		    (tty->master || tty->slave->type == TTY_TYPE__PTY || tty->slave->type == TTY_TYPE__EXT_TTY))
			return tty;
	return NULL;
}

static int ensure_tty(struct restore *r, struct tty *tty)
{
	char key[48];

	if (tty->created || tty->fd >= 0)
		return 0;
	if (is_ours(r, tty))
		return tty_create_pty(r, tty);
	print_key(tty->slave, key, sizeof(key));
	return given_descriptor(r, key, &tty->fd);
}

int tty_make_pty(struct restore *r, uint32_t number)
{
	struct tty *tty = table_find(get_restore(r)->ttys, number);

	return tty && is_ours(r, tty) ? ensure_tty(r, tty) : -ENOENT;
}

/* One record (tty_info) stands for /dev/tty of all sessions: whose it is, the owner of the file tells. */
static pid_t session_of(const struct file *f, const struct tty *tty)
{
	return f->owner ? f->owner->vsid : tty_session(tty);
}

static bool is_current(const struct file *f)
{
	const struct tty *tty = f->data;

	return tty->slave && tty->slave->type == TTY_TYPE__CTTY;
}

/* Those of a session in the tree were opened by create_currents(). */
static int open_current(struct restore *r, const struct file *f, const struct tty *tty, int *ret_fd)
{
	if (task_tree_find(r->tree, session_of(f, tty)))
		return refuse(
			ENOTTY,
			"it was opened as /dev/tty, but the controlling terminal of session %d is not in the images",
			session_of(f, tty));
	if (!r->options->shell_job)
		return refuse(ENOTTY,
			      "the program had its controlling terminal open as /dev/tty: --shell-job gives it yours");
	*ret_fd = open("/dev/tty", (int)(f->entry->tty->flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC);
	return *ret_fd < 0 ? open_ours(f->entry->tty->flags, ret_fd) : 0;
}

static int open_by_path(struct restore *r, const struct file *f, int *ret_fd)
{
	const RegFileEntry *path;

	TRY(regular_find_record(r, f->entry->tty->has_regf_id ? f->entry->tty->regf_id : f->id, &path));
	return regular_open(r, path, 0, ret_fd);
}

static int open_foreign(struct restore *r, struct file *f, struct tty *tty, int *ret_fd)
{
	const TtyInfoEntry *info = tty->slave;
	uint32_t flags = f->entry->tty->flags;

	if (info->type == TTY_TYPE__EXT_TTY)
		return refuse(ENOENT, "its terminal is outside: give one with --inherit-fd 'fd[N]:tty[%x:%x]'",
			      info->rdev, info->dev);
	if (info->type == TTY_TYPE__CTTY)
		return open_current(r, f, tty, ret_fd);
	if (info->type == TTY_TYPE__PTY && r->options->shell_job)
		return open_ours(flags, ret_fd);
	if (info->type == TTY_TYPE__PTY)
		return refuse(
			ENOTTY,
			"/dev/pts/%u belonged to somebody outside of the tree: --shell-job gives the program your "
			"terminal, --inherit-fd 'fd[N]:tty[%x:%x]' another one",
			tty->index, info->rdev, info->dev);
	return open_by_path(r, f, ret_fd);
}

int tty_needs(const struct restore *r, struct file *f)
{
	const struct tty *tty = f->data;
	const TtyInfoEntry *info = f == tty->master_file ? tty->master : tty->slave;
	const RegFileEntry *path;
	char key[48];

	snprintf(key, sizeof(key), "tty[%x:%x]", info->rdev, info->dev);
	if (given_has_descriptor(r, key) ||
	    (info->type == TTY_TYPE__PTY && (tty->master_file || !info->termios || info->abandoned)))
		return 0;
	if (info->type == TTY_TYPE__EXT_TTY) {
		(void)needs_add(r, NEED_DESCRIPTOR, key, "a terminal that the dump left out");
	} else if (info->type == TTY_TYPE__PTY || info->type == TTY_TYPE__CTTY) {
		if (!task_tree_find(r->tree, session_of(f, tty)))
			(void)needs_add(r, NEED_OPTION, "--shell-job", "a terminal of somebody outside of the tree");
	} else {
		TRY(regular_find_record(r, f->entry->tty->has_regf_id ? f->entry->tty->regf_id : f->id, &path));
		return regular_need(r, path);
	}
	return 0;
}

int tty_create(struct restore *r, struct file *f)
{
	struct tty *tty = f->data;
	const TtyInfoEntry *info = f == tty->master_file ? tty->master : tty->slave;
	AUTO_CLOSE int fd = -1;
	char key[48];
	int inherited;

	print_key(info, key, sizeof(key));
	inherited = given_descriptor(r, key, &f->fd);
	if (inherited != -ENOENT)
		return inherited;
	if (info->type == TTY_TYPE__PTY && (is_ours(r, tty) || !info->termios))
		return tty_create_pty(r, tty);
	TRY(open_foreign(r, f, tty, &fd));
	TRY(file_apply_flags(fd, f->entry->tty->flags, f->entry->tty->fown));
	if (tty->fd < 0 && info->type != TTY_TYPE__CTTY) {
		tty->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (tty->fd < 0)
			return fail_errno("duplicating a descriptor");
	}
	f->fd = TAKE_FD(fd);
	return 0;
}

/* --- sessions --- */

/* All files of the session that were opened as /dev/tty. */
static int create_currents(struct restore *r, const struct task *leader, const struct tty *controlling)
{
	struct tty *tty = table_find(get_restore(r)->ttys, TTY_INDEX_CURRENT);

	for (size_t i = 0; tty && i < tty->n; i++) {
		struct file *f = tty->files[i];

		if (!is_current(f) || session_of(f, tty) != leader->vsid || !f->users || f->fd >= 0)
			continue;
		TRY(tty_open_current(controlling->fd, f->entry->tty->flags, &f->fd));
		TRY(file_apply_flags(f->fd, f->entry->tty->flags, f->entry->tty->fown));
	}
	return 0;
}

int tty_plan_session(struct restore *r, struct task *leader, struct plan *p)
{
	struct tty *tty = find_controlling(r, leader->vsid);
	struct step *step;

	if (tty && tty->slave && r->options->shell_job && !is_ours(r, tty) && !is_given(r, tty))
		log_warn("Session %d had the controlling terminal /dev/pts/%u; yours belongs to the session of your "
			 "shell already: no job control, no "
			 "interrupts by key. --inherit-fd 'fd[N]:tty[%x:%x]' gives it one that is free",
			 leader->vsid, tty->index, tty->slave->rdev, tty->slave->dev);
	if (!tty || !(is_ours(r, tty) || is_given(r, tty)))
		return 0;
	TRY(ensure_tty(r, tty));
	TRY(create_currents(r, leader, tty));
	file_plan_fetch(r, p, tty->fd, SLOT_TTY);
	step = plan_syscall(p, plan_why(p, "take terminal %u as controlling terminal", tty->index), __NR_ioctl,
			    S(SLOT_TTY), V(TIOCSCTTY), V(0));
	if (!is_ours(r, tty))
		step->flags |= STEP_MAY_FAIL; /* another session may have it */
	plan_syscall(p, "close the terminal", __NR_close, S(SLOT_TTY));
	return 0;
}

static bool has_group(struct restore *r, pid_t pgrp)
{
	struct task *task;

	for_each_task(task, r->tree)
		if (task_is_live(task) && task->vpgid == pgrp)
			return true;
	return false;
}

/* The leader speaks for its session; for the session of the user's shell the root of the tree does. */
static bool speaks_for(struct restore *r, const struct task *task, const struct tty *tty)
{
	const TtyInfoEntry *info = tty->slave ? tty->slave : tty->master;
	pid_t sid = tty_session(tty);

	if (!sid || tty->fd < 0 || !has_group(r, (pid_t)info->pgrp))
		return false;
	if (task_tree_find(r->tree, sid))
		return task->vpid == sid && (is_ours(r, tty) || is_given(r, tty));
	return task == r->tree->root && task->vsid == sid && r->options->shell_job;
}

int tty_plan_task(struct restore *r, struct task *task, struct plan *p)
{
	for (struct tty *tty = get_restore(r)->first; tty; tty = tty->next) {
		pid_t pgrp = (pid_t)(tty->slave ? tty->slave : tty->master)->pgrp;
		const struct task *leader;
		struct step *step;

		if (!speaks_for(r, task, tty))
			continue;
		leader = task_tree_find(r->tree, pgrp);
		pgrp = leader ? task_pid_for(leader, task) : pgrp;
		if (!pgrp)
			continue;
		file_plan_fetch(r, p, tty->fd, SLOT_TTY);
		/* All signals are blocked, so nobody is stopped by SIGTTOU. */
		step = plan_syscall(p, plan_why(p, "put process group %d into the foreground", pgrp), __NR_ioctl,
				    S(SLOT_TTY), V(TIOCSPGRP), D(plan_data(p, &pgrp, sizeof(pgrp))));
		if (is_given(r, tty))
			step->flags |= STEP_MAY_FAIL;
		plan_syscall(p, "close the terminal", __NR_close, S(SLOT_TTY));
	}
	return 0;
}

/*
 * Another screen, with something else on it, and maybe another size: full-screen programs draw themselves anew when
 * they are told. All others ignore the signal. It waits until they run.
 */
static void tell_screen(struct restore *r, const struct tty *tty)
{
	pid_t pgrp = (pid_t)tty->slave->pgrp, outer = pgrp > 0 && has_group(r, pgrp) ? restore_outer_pid(r, pgrp) : 0;

	if (outer > 0)
		kill(-outer, SIGWINCH);
}

/* Virtual and serial terminals of all numbers share one record: its settings are those of one of them. */
static bool is_same_terminal(const struct tty *tty)
{
	struct stat st;

	return (tty->slave->type != TTY_TYPE__VT && tty->slave->type != TTY_TYPE__SERIAL) ||
	       (!fstat(tty->fd, &st) && st.st_rdev == tty->slave->rdev);
}

/* The user's terminal is changed last: a failed restore leaves it as it was. */
int tty_settle(struct restore *r, struct file *f)
{
	struct tty *tty = f->data;
	sigset_t ttou, old;
	int result;

	if (tty->settled || tty->fd < 0 || is_ours(r, tty) || !tty->slave || !is_same_terminal(tty))
		return 0;
	tty->settled = true;
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &ttou, &old); /* criu may be in the background by now */
	result = tty_apply_settings(tty->fd, tty->slave, false);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	tell_screen(r, tty);
	return result;
}

int tty_clean(struct restore *r)
{
	state_destroy(r->states, &tty_restore_state);
	return 0;
}
