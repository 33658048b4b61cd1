/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ptys that are mounted upon another file: the console of a container. A new devpts is empty, so they are mounted when
 * the kind of file that makes ptys has made them.
 */
#include "object/mount/pty.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/vector.h"
#include "object/mount/attach.h"
#include "object/mount/fs/fs.h"
#include "object/mount/mount-set.h"
#include "object/mount/mount.h"
#include "object/mount/restore.h"
#include "object/mount/tree.h"
#include "object/mount/staging.h"

bool pty_is_mounted(const struct mount *mount)
{
	const char *number = mount->entry->root + 1;

	return mount->fs && mount->fs->type == FSTYPE__DEVPTS && !mount_is_outside(mount) && isdigit(*number) &&
	       number[strspn(number, "0123456789")] == 0;
}

static uint32_t number_of(const struct mount *mount)
{
	return (uint32_t)strtoul(mount->entry->root + 1, NULL, 10);
}

bool pty_has_devpts(const struct mount_set *set, const struct mount *mount)
{
	const struct mount *m;

	for_each_mount(m, set)
		if (m->entry->root_dev == mount->entry->root_dev && strcmp(m->entry->root, "/") == 0)
			return true;
	return false;
}

void pty_dump_warn(struct dump *d, const struct mount *mount)
{
	if (!mount->entry->deleted && !mount_ptys.is_dumped(d, number_of(mount)))
		log_warn("%s is pty %u, which no task of the tree has open: it will be hung up after a restore",
			 mount->entry->mountpoint, number_of(mount));
}

int pty_make_all(struct restore *r)
{
	struct mount *m;

	for_each_mount(m, restore_mounts(r)) {
		int made;

		if (!pty_is_mounted(m))
			continue;
		made = m->entry->deleted ? -ENOENT : mount_ptys.make(r, number_of(m));
		m->hung_up = made == -ENOENT;
		if (made < 0 && made != -ENOENT)
			return made;
	}
	return 0;
}

#define NUMBERS_MAX 4096 /* /proc/sys/kernel/pty/max is 4096 as well */

/* The kernel gives out the lowest free number. The pty ends with the last of these masters. */
static int open_masters(int devpts, uint32_t number, int *masters, size_t *ret_n)
{
	uint32_t index;

	for (*ret_n = 0; *ret_n < NUMBERS_MAX; ++*ret_n) {
		int fd = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

		masters[*ret_n] = fd;
		if (fd < 0 || ioctl(fd, TIOCGPTN, &index) < 0)
			return fail_errno("making a pty");
		if (index == number) {
			++*ret_n;
			return 0;
		}
		if (index > number)
			break;
	}
	return refuse(EBUSY, "there is another pty %u already", number);
}

/* It cannot be attached any more when its last master is closed (Linux 6.18: move_mount(2) says ENOENT). */
static int clone_hung_up(struct mount *mount, int devpts, int *ret_master)
{
	int *masters = xzalloc(NUMBERS_MAX * sizeof(*masters));
	size_t n;
	int error = open_masters(devpts, number_of(mount), masters, &n);

	if (error == 0)
		error = staging_clone_part(devpts, mount, mount->entry->root + 1);
	if (error == 0)
		*ret_master = masters[--n];
	while (n > 0)
		close(masters[--n]);
	free(masters);
	return error;
}

int pty_clone(struct mount_set *set, struct mount *mount, int *ret_master)
{
	const struct mount *devpts = mount->super->widest;
	int error;

	if (!devpts || strcmp(devpts->entry->root, "/") != 0)
		return refuse(EOPNOTSUPP, "it is a pty of a devpts that is not mounted as a whole");
	TRY(space_enter(set, devpts->space));
	if (mount->hung_up)
		error = clone_hung_up(mount, devpts->fd, ret_master);
	else
		error = staging_clone_part(devpts->fd, mount, mount->entry->root + 1);
	TRY(error);
	return space_enter(set, mount->space);
}
