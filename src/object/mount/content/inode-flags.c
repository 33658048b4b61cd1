/* SPDX-License-Identifier: GPL-2.0-only */
/* Flags of files and directories of a tmpfs (chattr(1), ioctl_iflags(2); Linux 6.6). They are set last of all: nothing
 * can be made in an immutable directory, or opened for writing that is immutable. */
#include "object/mount/content/inode-flags.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "object/mount/content/content-restore.h"
#include "object/mount/content/libarchive.h"
#include "object/mount/mount-set.h"
#include "object/mount/tree.h"
#include "session/session.h"

#define KEPT (FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL)

struct inode_flags {
	const struct mount *mount;
	const char *name;
	int flags;
};

void inode_flags_save(struct archive_entry *entry, int fd)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && flags & KEPT)
		libarchive.archive_entry_set_fflags(entry, (unsigned long)(flags & KEPT), 0);
}

int inode_flags_note(const struct restore *r, const struct mount *mount, int root, struct archive_entry *entry)
{
	struct inode_flags *found;
	unsigned long set, clear;

	libarchive.archive_entry_fflags(entry, &set, &clear);
	if (!(set & KEPT))
		return 0;
	if (mount->super->files_fd < 0)
		mount->super->files_fd = fcntl(root, F_DUPFD_CLOEXEC, 0);
	if (mount->super->files_fd < 0)
		return fail_errno("keeping its root directory");
	found = pool_new(r->pool, struct inode_flags);
	*found = (struct inode_flags){ mount, pool_string(r->pool, libarchive.archive_entry_pathname(entry)),
				       (int)(set & KEPT) };
	*vector_push(&restore_mounts(r)->inode_flags) = found;
	return 0;
}

static int set_flags(const struct inode_flags *inode)
{
	AUTO_CLOSE int fd = -1;
	int flags = 0;

	TRY(content_open(inode->mount->super->files_fd, inode->name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW, &fd));
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		flags = 0;
	flags |= inode->flags;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		log_warn("%s: its attributes 0x%x (chattr(1)) cannot be set: %s", inode->name, (unsigned)inode->flags,
			 strerror(errno));
	return 0;
}

int inode_flags_settle(const struct restore *r)
{
	struct mount_set *set = restore_mounts(r);

	for (size_t i = 0; i < set->inode_flags.n; i++) {
		LOG_SCOPE("%.80s", set->inode_flags.items[i]->mount->entry->mountpoint);
		TRY(set_flags(set->inode_flags.items[i]));
	}
	return 0;
}
