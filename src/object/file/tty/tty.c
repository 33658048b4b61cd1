/* SPDX-License-Identifier: GPL-2.0-only */
/* Terminals, dump: ptys, the console, virtual and serial ones, /dev/tty. */
#include "object/file/tty/tty.h"

#include <fcntl.h>
#include <linux/kd.h>
#include <linux/vt.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "fdinfo.pb-c.h"
#include "image/image.h"
#include "image/record.h"
#include "kern/proc/mountinfo.h"
#include "object/file/file-dump.h"
#include "object/file/file.h"
#include "object/file/tty/queue.h"
#include "object/file/tty/restore.h"
#include "object/file/tty/settings.h"
#include "object/mount/mount.h"
#include "session/given.h"
#include "session/ids.h"
#include "session/loss.h"
#include "session/pids.h"
#include "session/survey.h"

/* Documentation/admin-guide/devices.txt */
enum { VT_MAJOR = 4, SERIAL_FIRST = 64, TTY_AUX_MAJOR = 5, PTS_MAJOR = 136, PTS_MAJORS = 8 };
enum { AUX_CURRENT = 0, AUX_CONSOLE = 1, AUX_PTMX = 2 };

struct ttys_dump {
	struct tty_dump *first;
};

static const struct state_type ttys_dump_state = { sizeof(struct ttys_dump), NULL };

static struct ttys_dump *get_dump(const struct dump *d)
{
	return state_get(d->states, &ttys_dump_state);
}

static bool is_pts(dev_t dev)
{
	return major(dev) >= PTS_MAJOR && major(dev) < PTS_MAJOR + PTS_MAJORS;
}

static bool is_tty(const struct open_file *of)
{
	unsigned major_number = major(of->stat.st_rdev);

	if (!S_ISCHR(of->stat.st_mode) || of->flags & O_PATH)
		return false;
	return is_pts(of->stat.st_rdev) || major_number == VT_MAJOR || major_number == TTY_AUX_MAJOR;
}

/* What sort of terminal, and the index of its id. */
static int classify_tty(const struct open_file *of, TtyInfoEntry *info)
{
	unsigned major_number = major(of->stat.st_rdev), minor_number = minor(of->stat.st_rdev);
	unsigned index, master = 0;

	if (is_pts(of->stat.st_rdev)) {
		info->type = TTY_TYPE__PTY;
		index = (major_number - PTS_MAJOR) * 256 + minor_number;
	} else if (major_number == TTY_AUX_MAJOR && minor_number == AUX_PTMX) {
		info->type = TTY_TYPE__PTY;
		master = TTY_MASTER;
		if (ioctl(of->fd, TIOCGPTN, &index) < 0)
			return fail_errno("asking for the number of the pty");
	} else if (major_number == TTY_AUX_MAJOR && minor_number == AUX_CONSOLE) {
		info->type = TTY_TYPE__CONSOLE;
		index = TTY_INDEX_CONSOLE;
	} else if (major_number == TTY_AUX_MAJOR && minor_number == AUX_CURRENT) {
		info->type = TTY_TYPE__CTTY;
		index = TTY_INDEX_CURRENT;
	} else if (major_number == VT_MAJOR && minor_number < SERIAL_FIRST) {
		info->type = TTY_TYPE__VT;
		index = TTY_INDEX_VT;
	} else {
		info->type = TTY_TYPE__SERIAL;
		index = 2 * TTY_INDEX_CURRENT + minor_number; /* above all others */
	}
	info->id = 2 * index + master;
	return 0;
}

/* The session that has the terminal, told by one of its tasks: the terminal itself answers only to those inside. */
static void find_session(const struct dump *d, const struct open_file *of, TtyInfoEntry *info)
{
	bool current = info->type == TTY_TYPE__CTTY;
	dev_t dev = of->stat.st_rdev;
	struct task *task;
	pid_t sid, pgrp;

	if (info->id & TTY_MASTER && info->type == TTY_TYPE__PTY) {
		if (ioctl(of->fd, TIOCGSID, &sid) == 0 && ioctl(of->fd, TIOCGPGRP, &pgrp) == 0) {
			info->sid = (uint32_t)dump_inner_pid(d, sid);
			info->pgrp = (uint32_t)dump_inner_pid(d, pgrp);
		}
		return;
	}
	for_each_task(task, d->tree) {
		const struct proc_stat *stat = &task->dump->stat;

		if (!task_is_live(task) || !stat->tty_nr || (current ? task != of->task : (dev_t)stat->tty_nr != dev))
			continue;
		info->sid = (uint32_t)task->vsid;
		info->pgrp = stat->tpgid > 0 ? (uint32_t)dump_inner_pid(d, stat->tpgid) : 0;
		return;
	}
}

static int check_hangup(struct tty_dump *tty)
{
	struct pollfd ask = { .fd = tty->fd, .events = POLLIN };

	if (poll(&ask, 1, 0) < 0)
		return fail_errno("asking whether the other side of the terminal is open (poll)");
	if (tty->info->id & TTY_MASTER && tty->info->type == TTY_TYPE__PTY)
		tty->quiet_slave = ask.revents & POLLHUP;
	else
		tty->hung_up = ask.revents & POLLHUP;
	return 0;
}

/* A display server has it: ioctl_console(2). */
static int check_virtual(int fd, const TtyInfoEntry *info)
{
	struct vt_mode mode = { 0 };
	int shows = KD_TEXT;

	if (info->type != TTY_TYPE__VT)
		return 0;
	if (ioctl(fd, KDGETMODE, &shows) == 0 && shows != KD_TEXT)
		return refuse(EOPNOTSUPP,
			      "this virtual terminal is in graphics mode: what is on the screen cannot be saved");
	if (ioctl(fd, VT_GETMODE, &mode) == 0 && mode.mode != VT_AUTO)
		return refuse(EOPNOTSUPP, "the program itself decides when this virtual terminal is switched "
					  "(VT_SETMODE): that cannot be saved");
	return 0;
}

static int add_tty(const struct dump *d, const struct open_file *of, const TtyInfoEntry *like)
{
	struct tty_dump *tty = pool_new(d->pool, struct tty_dump);
	TtyInfoEntry *info = tty->info = pool_copy(d->pool, like, sizeof(*like));
	int hung_up;

	tty->name = pool_string(d->pool, of->link);
	tty->task = of->task;
	tty->task_fd = of->task_fd;
	tty->fd = fcntl(of->fd, F_DUPFD_CLOEXEC, 3);
	if (tty->fd < 0)
		return fail_errno("duplicating a descriptor");
	file_dump_keep(d, tty->fd);
	tty->next = get_dump(d)->first;
	get_dump(d)->first = tty;
	TRY(check_hangup(tty));
	info->rdev = (uint32_t)of->stat.st_rdev;
	info->has_dev = info->has_uid = info->has_gid = true;
	info->dev = (uint32_t)of->stat.st_dev;
	info->uid = dump_inner_uid(d, of->stat.st_uid);
	info->gid = dump_inner_gid(d, of->stat.st_gid);
	if (info->type == TTY_TYPE__PTY) {
		info->pty = pool_new(d->pool, TtyPtyEntry);
		tty_pty_entry__init(info->pty);
		info->pty->index = info->id / 2;
	}
	find_session(d, of, info);
	TRY(check_virtual(of->fd, info));
	hung_up = tty_read_settings(d, of->fd, info);
	tty->hung_up |= hung_up == -EIO;
	return hung_up == -EIO ? 0 : hung_up;
}

static struct tty_dump *find_tty(const struct dump *d, uint32_t id)
{
	struct tty_dump *tty = get_dump(d)->first;

	while (tty && tty->info->id != id)
		tty = tty->next;
	return tty;
}

/* The node of a slave is gone when its master is: that needs no care, it is made again together with the master. */
static uint32_t dump_path(const struct dump *d, const struct open_file *of)
{
	FileEntry *entry = file_add_entry(d, FD_TYPES__REG, offsetof(FileEntry, reg));
	char *name = pool_string(d->pool, of->link);

	if (text_ends(name, " (deleted)"))
		name[strlen(name) - strlen(" (deleted)")] = 0;
	entry->reg->id = entry->id;
	entry->reg->flags = of->flags;
	entry->reg->fown = of->owner;
	entry->reg->name = name;
	entry->reg->has_mode = true;
	entry->reg->mode = of->stat.st_mode;
	entry->reg->has_mnt_id = mount_dump_id(d, of->mnt_id) > 0;
	entry->reg->mnt_id = entry->reg->has_mnt_id ? of->mnt_id : -1;
	return entry->id;
}

/* A pty has one master, which is opened once. */
static bool is_of_another_devpts(const struct tty_dump *known, const struct open_file *of)
{
	return known->info->dev != (uint32_t)of->stat.st_dev || known->info->id & TTY_MASTER;
}

static int dump_tty(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	TtyFileEntry *record = out->tty;
	TtyInfoEntry info = TTY_INFO_ENTRY__INIT;
	const struct tty_dump *known;

	TRY(classify_tty(of, &info));
	record->id = of->id;
	record->tty_info_id = info.id;
	record->flags = of->flags;
	record->fown = of->owner;
	record->has_regf_id = true;
	record->regf_id = dump_path(d, of);
	known = find_tty(d, info.id);
	if (known && info.type == TTY_TYPE__PTY && is_of_another_devpts(known, of))
		return refuse(EOPNOTSUPP,
			      "pty %u and another one of that number come from two devpts file systems: the format "
			      "cannot tell them apart",
			      info.id / 2);
	return known ? 0 : add_tty(d, of, &info);
}

/* --- after all files --- */

static bool is_master(const struct tty_dump *tty)
{
	return tty->info->type == TTY_TYPE__PTY && tty->info->id & TTY_MASTER;
}

/*
 * orphan_pts_master is for the terminals of containers, whose masters their engines hold. One that was only inherited
 * is of the host's devpts: a new pair cannot be made in its place. A tree without a mount namespace of its own has no
 * devpts of its own either.
 */
static bool gets_new_master(const struct dump *d, const struct tty_dump *tty)
{
	const struct proc_mounts *seen = mount_dump_seen(d, tty->task);
	struct stat ours;

	if (!d->options->orphan_pts_master || tty->info->type != TTY_TYPE__PTY)
		return false;
	if (seen && stat("/dev/pts", &ours) == 0 && (uint32_t)ours.st_dev == tty->info->dev)
		return false;
	for (size_t i = 0; seen && i < seen->n; i++)
		if ((uint32_t)seen->items[i].dev == tty->info->dev)
			return true;
	return !seen;
}

/* The engine that had started a process in the tree's pid namespace has it, and will not come back to it: to the
 * program it is as if that had ended. What the tree itself has as well is the tree's. */
static bool abandon_tty(const struct dump *d, struct tty_dump *tty)
{
	if (tty->info->type != TTY_TYPE__PTY || !task_is_of_joined(d->tree, tty->task))
		return false;
	tty->info->has_abandoned = tty->info->abandoned = true;
	dump_report_loss(
		d,
		"task %d (%s), descriptor %d: the other side of the terminal %s, of whoever put the task there "
		"(by exec): the terminal will be hung up",
		tty->task->vpid, tty->task->comm, tty->task_fd, tty->name);
	return true;
}

/* A terminal of somebody else: the user must say what shall be in its place. */
static int check_owner(const struct dump *d, struct tty_dump *tty)
{
	char key[48];

	if (is_master(tty) || tty->hung_up || find_tty(d, tty->info->id | TTY_MASTER))
		return 0;
	snprintf(key, sizeof(key), "tty[%x:%x]", tty->info->rdev, tty->info->dev);
	if (given_is_external(d->options, key)) {
		tty->info->type = TTY_TYPE__EXT_TTY;
		return 0;
	}
	if (abandon_tty(d, tty) || d->options->shell_job || gets_new_master(d, tty))
		return 0;
	if (tty->info->type == TTY_TYPE__CTTY && tty->info->sid && task_tree_find(d->tree, (pid_t)tty->info->sid))
		return 0;
	if (tty->info->type != TTY_TYPE__PTY && tty->info->type != TTY_TYPE__CTTY)
		return 0; /* the machine's own: opened by its path again */
	return refuse(EOPNOTSUPP,
		      "task %d (%s), descriptor %d: the other side of the terminal %s is outside of the tree: "
		      "--shell-job lets the "
		      "restored program use the terminal of the restore, --external '%s' another one",
		      tty->task->vpid, tty->task->comm, tty->task_fd, tty->name, key);
}

static int write_infos(struct dump *d)
{
	AUTO(image_close) struct image *image = NULL;

	if (!get_dump(d)->first)
		return 0;
	TRY(image_create(dump_store(d), &image, IMAGE_TTY_INFO));
	for (const struct tty_dump *tty = get_dump(d)->first; tty; tty = tty->next)
		TRY(image_write(image, tty->info));
	return image_finish(&image);
}

static int write_queues(struct dump *d)
{
	AUTO(image_close) struct image *image = NULL;

	TRY(image_create(dump_store(d), &image, IMAGE_TTY_DATA));
	for (struct tty_dump *tty = get_dump(d)->first; tty; tty = tty->next) {
		LOG_SCOPE("pty %u", tty->info->id / 2);
		if (is_master(tty))
			TRY(tty_dump_queues(d, tty, find_tty(d, tty->info->id & ~TTY_MASTER), image));
	}
	return image_finish(&image);
}

static int finish_ttys(const struct dump *d)
{
	for (struct tty_dump *tty = get_dump(d)->first; tty; tty = tty->next)
		TRY(dump_go_on(d, check_owner(d, tty)));
	return 0;
}

static int write_ttys(struct dump *d)
{
	TRY(write_infos(d));
	return write_queues(d);
}

static bool has_pty(struct dump *d, uint32_t number)
{
	for (const struct tty_dump *tty = get_dump(d)->first; tty; tty = tty->next)
		if (tty->info->type == TTY_TYPE__PTY && tty->info->id / 2 == number)
			return true;
	return false;
}

/* --- the kind; its restore is in restore.c --- */

static const char *describe_tty(const struct file *f, struct pool *pool)
{
	const TtyFileEntry *entry = f->entry->tty;

	if (entry->tty_info_id / 2 >= 1000)
		return "terminal";
	return entry->tty_info_id & 1 ? "pty master" : "pty";
}

const struct file_kind tty_kind = {
	.name = "tty",
	.type = FD_TYPES__TTY,
	.entry = offsetof(FileEntry, tty),
	.is = is_tty,
	.dump = dump_tty,
	.finish = finish_ttys,
	.write = write_ttys,
	.prepare = tty_prepare,
	.load = tty_load,
	.link = tty_link,
	.needs = tty_needs,
	.describe = describe_tty,
	.create = tty_create,
	.settle = tty_settle,
	.clean = tty_clean,
};

const struct mount_ptys mount_ptys = {
	.is_dumped = has_pty,
	.make = tty_make_pty,
};
