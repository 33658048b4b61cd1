/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restore: files on the mounts that they were open on. A path alone is not enough: another mount may lie upon the one
 * of the file, and a file that shows in several mounts was opened through one of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/table.h"
#include "kern/mountapi.h"
#include "object/mount/mount-set.h"
#include "object/mount/mount.h"
#include "object/mount/pid-space.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"

static struct mount *find_place(const struct restore *r, int mnt_id)
{
	struct mount *mount = restore_mounts(r) && restore_mounts(r)->by_id && mnt_id > 0
				      ? table_find(restore_mounts(r)->by_id, (uint64_t)mnt_id)
				      : NULL;

	return mount && mount->fd >= 0 ? mount : NULL;
}

void mount_restore_place(const struct restore *r, int mnt_id, const char *name, struct mount_place *ret)
{
	const struct mount *mount = find_place(r, mnt_id);
	const char *below = mount ? path_below(name, mount->entry->mountpoint) : NULL;

	*ret = (struct mount_place){ mount_restore_root(r, mnt_id), name, false };
	if (!below)
		return;
	ret->root = mount->fd;
	ret->exact = true;
	/* The slash in front belongs to it. */
	ret->path = *below ? below - 1 : "";
}

const struct pid_space *mount_restore_pid_space(const struct restore *r, int mnt_id)
{
	const struct mount *mount = find_place(r, mnt_id);

	return mount ? pid_space_shown(mount) : NULL;
}

int mount_restore_detached(const struct restore *r, int mnt_id)
{
	const struct mount *mount = find_place(r, mnt_id);
	int fd;

	if (!mount || mount->entry->detached != 2)
		return -ENOENT;
	fd = fcntl(mount->fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

static uint64_t id_of(int fd)
{
	struct statx stx;

	return statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &stx) == 0 ? stx.stx_mnt_id : 0;
}

bool mount_restore_is_on(const struct restore *r, int mnt_id, int fd)
{
	const struct mount *mount = find_place(r, mnt_id);

	return !mount || id_of(fd) == id_of(mount->fd);
}

struct look {
	const struct mount *mount;
	int clone;
};

static int clone_there(void *arg)
{
	struct look *look = arg;

	look->clone = mountapi_clone(look->mount->fd, "");
	return look->clone < 0 ? fail(-look->clone, "cloning the mount of a file (open_tree)") : 0;
}

struct handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static int open_handle(const struct mount *mount, int fd, int flags)
{
	struct handle handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	/* What the mount is told by must not be O_PATH. */
	AUTO_CLOSE int root = openat(mount->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int id;

	if (root < 0 || name_to_handle_at(fd, "", &handle.head, &id, AT_EMPTY_PATH) < 0)
		return -errno;
	fd = open_by_handle_at(root, &handle.head, flags);
	return fd < 0 ? -errno : fd;
}

/* A clone of the mount shows what others cover; but the file shall be on the mount itself. */
int mount_restore_open_covered(struct restore *r, int mnt_id, const char *path, int flags, int *ret_fd)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS };
	struct look look = { .mount = find_place(r, mnt_id), .clone = -1 };
	AUTO_CLOSE int clone = -1, fd = -1;

	if (!look.mount)
		return -ENOENT;
	TRY(namespace_run_in(r, look.mount->space->namespace, clone_there, &look));
	clone = look.clone;
	fd = (int)syscall(SYS_openat2, clone, *path ? path : ".", &how, sizeof(how));
	if (fd < 0)
		return -errno;
	*ret_fd = open_handle(look.mount, fd, flags);
	return *ret_fd < 0 ? *ret_fd : 0;
}

int mount_restore_open_twin(const struct restore *r, int mnt_id, int fd, int *ret_fd)
{
	const struct mount *mount = find_place(r, mnt_id);

	*ret_fd = mount ? open_handle(mount, fd, O_PATH | O_CLOEXEC) : -ENOENT;
	return *ret_fd < 0 ? *ret_fd : 0;
}

/* The path in the file system itself. */
static void print_in_super(const struct mount *mount, const char *path, char to[PATH_MAX])
{
	snprintf(to, PATH_MAX, "%s%s", mount->entry->root[1] ? mount->entry->root : "", path);
}

bool mount_restore_common(const struct restore *r, const struct mount_name *from, const struct mount_name *to,
			  struct mount_common *ret)
{
	const struct mount *first = find_place(r, from->mnt_id), *second = find_place(r, to->mnt_id), *m;
	char a[PATH_MAX], b[PATH_MAX];

	if (!first || !second || first->entry->root_dev != second->entry->root_dev)
		return false;
	print_in_super(first, from->path, a);
	print_in_super(second, to->path, b);
	for_each_mount(m, restore_mounts(r)) {
		const char *below_a = path_below(a, m->entry->root), *below_b = path_below(b, m->entry->root);

		if (m->fd < 0 || m->entry->deleted || m->entry->root_dev != first->entry->root_dev || !below_a ||
		    !below_b || !*below_a || !*below_b)
			continue;
		ret->root = m->fd;
		snprintf(ret->from, sizeof(ret->from), "/%s", below_a);
		snprintf(ret->to, sizeof(ret->to), "/%s", below_b);
		return true;
	}
	return false;
}
