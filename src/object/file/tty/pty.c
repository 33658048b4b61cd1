/* SPDX-License-Identifier: GPL-2.0-only */
/* Ptys, restore: both sides are made together, under the old number if it is free. */
#include "object/file/tty/pty.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/vector.h"
#include "object/file/file.h"
#include "object/file/regular/open.h"
#include "object/file/regular/regular.h"
#include "object/file/tty/queue.h"
#include "object/file/tty/restore.h"
#include "object/file/tty/settings.h"
#include "object/file/tty/tty.h"
#include "object/mount/mount.h"
#include "session/ids.h"
#include "session/listener.h"

#define NUMBERS_MAX 4096 /* /proc/sys/kernel/pty/max is 4096 as well */

/* Where new ptys come from: each devpts has numbers of its own. */
struct tty_place {
	int root; /* directory that the path begins in, -1: ours */
	const char *ptmx;
};

static int open_ptmx(const struct tty_place *place)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	if (mount_stay_begin(place->root, &stay) < 0)
		return -1;
	return open(place->ptmx, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* -ENOSPC, unlogged: there are no more. */
static int open_master(const struct tty_place *place, uint32_t *ret_index)
{
	AUTO_CLOSE int fd = open_ptmx(place);

	if (fd < 0)
		return errno == ENOSPC ? -ENOSPC : fail_errno("opening %s", place->ptmx);
	if (ioctl(fd, TIOCGPTN, ret_index) < 0)
		return fail_errno("asking for the number of a new pty");
	return TAKE_FD(fd);
}

/* The kernel gives out the lowest free number: take those below for a while. */
static int try_master(const struct tty_place *place, uint32_t wanted, uint32_t *ret_index)
{
	VECTOR(int) taken = { 0 };
	int fd = -1;

	while (taken.n < NUMBERS_MAX) {
		fd = open_master(place, ret_index);
		if (fd < 0 || *ret_index >= wanted)
			break;
		*vector_push(&taken) = fd;
		fd = -1;
	}
	while (taken.n)
		close(taken.items[--taken.n]);
	vector_done(&taken);
	return fd;
}

static int find_master(const struct tty_place *place, uint32_t wanted, int *ret_fd)
{
	uint32_t index = 0;
	int fd = wanted < NUMBERS_MAX ? try_master(place, wanted, &index) : -ENOSPC;

	if (fd == -ENOSPC)
		fd = open_master(place, &index); /* the number is out of reach */
	if (fd == -ENOSPC)
		return fail(ENOSPC, "opening %s", place->ptmx);
	TRY(fd);
	if (index != wanted)
		log_warn("/dev/pts/%u is in use: the program gets /dev/pts/%u instead", wanted, index);
	*ret_fd = fd;
	return 0;
}

/* O_CLOEXEC would stay in the flags of the file. */
static int open_slave(int master, uint32_t flags, int *ret_fd)
{
	*ret_fd = ioctl(master, TIOCGPTPEER, (int)(flags & (O_ACCMODE | O_NONBLOCK)) | O_NOCTTY);
	if (*ret_fd < 0 || fcntl(*ret_fd, F_SETFD, FD_CLOEXEC) < 0)
		return fail_errno("opening the slave side");
	return 0;
}

/* Flags that TIOCGPTPEER and fcntl(2) can set. More (O_LARGEFILE) comes from open(2) only. */
#define FLAGS_OF_PEER (O_ACCMODE | O_NONBLOCK | O_ASYNC | O_APPEND | O_NOATIME | O_DIRECT)

static int open_slave_as(int master, int slave, uint32_t flags, int *ret_fd)
{
	char name[32];

	if (!(flags & ~(uint32_t)FLAGS_OF_PEER))
		return open_slave(master, flags, ret_fd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", slave);
	*ret_fd = open(name, (int)(flags & (O_ACCMODE | O_NONBLOCK)) | O_NOCTTY | O_CLOEXEC);
	return *ret_fd < 0 ? fail_errno("opening the slave side") : 0;
}

static const RegFileEntry *path_of(struct restore *r, const struct file *f)
{
	const TtyFileEntry *record = f->entry->tty;
	const RegFileEntry *path;

	return regular_find_record(r, record->has_regf_id ? record->regf_id : record->id, &path) < 0 ? NULL : path;
}

/* The devpts that the master was opened in, or the slave was in. */
static int find_place(struct restore *r, const struct tty *tty, struct tty_place *ret)
{
	const struct file *f = tty->master_file ?: tty->n ? tty->files[0] : NULL;
	const RegFileEntry *path = f ? path_of(r, f) : NULL;

	*ret = (struct tty_place){ path ? regular_root(r, path) : -1, "/dev/ptmx" };
	if (ret->root < 0)
		return 0;
	ret->ptmx = !tty->master_file ? pool_printf(r->pool, "%.*s/ptmx", (int)(strrchr(path->name, '/') - path->name),
						    path->name)
				      : path->name;
	return 0;
}

static int set_owner(struct restore *r, const struct tty *tty, int slave)
{
	const RegFileEntry *path;
	const TtyFileEntry *record;

	if (!tty->slave)
		return 0;
	if (tty->slave->has_uid && tty->slave->has_gid &&
	    fchown(slave, restore_outer_uid(r, tty->slave->uid), restore_outer_gid(r, tty->slave->gid)) < 0)
		return fail_errno("giving the slave side to user %u", tty->slave->uid);
	if (!tty->n)
		return 0;
	record = tty->files[0]->entry->tty;
	TRY(regular_find_record(r, record->has_regf_id ? record->regf_id : record->id, &path));
	if (path->has_mode && fchmod(slave, path->mode & 07777) < 0)
		return fail_errno("setting the mode of the slave side");
	return 0;
}

static int fill_pty(struct restore *r, const struct tty *tty, int master, int slave)
{
	const TtyDataEntry *for_slave = tty_find_data(r, 2 * tty->index);
	const TtyDataEntry *for_master = tty_find_data(r, 2 * tty->index + TTY_MASTER);

	if (for_slave)
		TRY(tty_fill_slave(master, slave, for_slave->data.data, for_slave->data.len));
	if (for_master)
		TRY(tty_fill_master(master, slave, for_master->data.data, for_master->data.len));
	return 0;
}

static int open_files(struct tty *tty, int master, int slave)
{
	for (size_t i = 0; i < tty->n; i++) {
		struct file *f = tty->files[i];

		if (!f->users)
			continue;
		TRY(open_slave_as(master, slave, f->entry->tty->flags, &f->fd));
		TRY(file_apply_flags(f->fd, f->entry->tty->flags, f->entry->tty->fown));
	}
	return 0;
}

static int finish_master(struct tty *tty, int master)
{
	int on = 1;

	if (!tty->master)
		return 0;
	if (tty->master->packet_mode && ioctl(master, TIOCPKT, &on) < 0)
		return fail_errno("switching on packet mode");
	if (tty->master->locked && ioctl(master, TIOCSPTLCK, &on) < 0)
		return fail_errno("locking the slave side");
	return 0;
}

/* To the client of the service. If it does not keep it, the terminal is hung up. */
static int pass_master(struct restore *r, const struct tty *tty, int master)
{
	log_info("The client gets the master of pty %u", tty->index);
	TRY(r->listener->pass(r->listener, "orphan-pts-master", master));
	return 0;
}

int tty_create_pty(struct restore *r, struct tty *tty)
{
	AUTO_CLOSE int master = -1, slave = -1;
	const TtyInfoEntry *info = tty->slave && tty->slave->termios ? tty->slave : tty->master;
	struct tty_place place;
	int off = 0;

	LOG_SCOPE("pty %u", tty->index);
	TRY(find_place(r, tty, &place));
	TRY(find_master(&place, tty->index, &master));
	if (ioctl(master, TIOCSPTLCK, &off) < 0)
		return fail_errno("unlocking the slave side");
	TRY(open_slave(master, O_RDWR | O_NONBLOCK, &slave));
	TRY(set_owner(r, tty, slave));
	if (info)
		TRY(tty_apply_settings(slave, info, true));
	TRY(fill_pty(r, tty, master, slave));
	TRY(open_files(tty, master, slave));
	TRY(finish_master(tty, master));
	tty->created = true;
	if (tty_is_orphan(r, tty))
		TRY(pass_master(r, tty, master));
	else if (tty_is_abandoned(r, tty))
		tty->held = TAKE_FD(master);
	else if (!tty->master_file)
		return 0; /* closing our master hangs up all the others, as it was */
	if (tty_session(tty))
		tty->fd = TAKE_FD(slave);
	if (tty->master_file && tty->master_file->users) {
		TRY(file_apply_flags(master, tty->master_file->entry->tty->flags, tty->master_file->entry->tty->fown));
		tty->master_file->fd = TAKE_FD(master);
	}
	return 0;
}
