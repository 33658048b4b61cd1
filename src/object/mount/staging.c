/* SPDX-License-Identifier: GPL-2.0-only */
/* Restore: the staging namespace, one of ours where file systems hang while mounts of them are cloned. */
#include "object/mount/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/mountapi.h"
#include "object/mount/mount-set.h"
#include "object/mount/idmap.h"
#include "object/mount/pty.h"
#include "object/mount/removed.h"
#include "object/mount/restore.h"
#include "object/mount/sharing.h"
#include "object/mount/tree.h"
#include "plugin/plugin.h"
#include "session/session.h"

/* A directory that something can be mounted upon; what is below is not seen in the staging namespace, where plugins may
 * look for files. */
static int open_staging(char path[32])
{
	static const char *const places[] = {
		"/media", "/srv", "/boot", "/mnt", "/opt", "/tmp", "/run", "/var", "/usr"
	};
	int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(places) && fd < 0; i++) {
		if (mount("criu", places[i], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") < 0)
			continue;
		snprintf(path, 32, "%s", places[i]);
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? fail_errno("mounting a tmpfs to work in, on /media, /tmp or the like") : fd;
}

static int hang_up(int staging, const struct superblock *super)
{
	char name[16];
	int error;

	snprintf(name, sizeof(name), "%u", super->dev);
	if (mkdirat(staging, name, 0700) < 0)
		return fail_errno("making a directory to work in");
	error = mountapi_attach(super->fd, staging, name);
	return error < 0 ? fail(-error, "attaching the file system of %s", super->widest->entry->mountpoint) : 0;
}

/* "below" is a path in what is mounted at "from", in the namespace that we are in. */
int staging_clone_part(int from, struct mount *mount, const char *below)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	AUTO_CLOSE int part = *below ? (int)syscall(SYS_openat2, from, below, &how, sizeof(how)) : -1;

	if (*below && part < 0)
		return fail_errno("opening %s of its file system", mount->entry->root);
	mount->fd = mountapi_clone(*below ? part : from, "");
	return mount->fd < 0 ? fail(-mount->fd, "cloning it (open_tree)") : 0;
}

static int clone_anew(struct restore *r, struct mount *mount)
{
	const char *below = path_below(mount->entry->root, super_root_path(r, mount->super));

	LOG_SCOPE("mount %u on %.60s", mount->entry->mnt_id, mount->entry->mountpoint);
	if (mount->entry->has_removed)
		return removed_make(r, mount, mount->super->fd, below);
	if (!below)
		return refuse(EOPNOTSUPP, "it shows %s, which lies outside of what its file system shows now",
			      mount->entry->root);
	return staging_clone_part(mount->super->fd, mount, below);
}

/* A plugin mounts it somewhere in the staging namespace; it is taken from there. */
static int clone_plugged(struct restore *r, struct mount *mount, int staging, const char *staging_path)
{
	AUTO_FREE char *point = xprintf("%s/p%u", staging_path, mount->entry->mnt_id);
	static char host_root[] = "/";
	int answer;

	LOG_SCOPE("mount %u on %.60s", mount->entry->mnt_id, mount->entry->mountpoint);
	if (mkdirat(staging, strrchr(point, '/') + 1, 0700) < 0)
		return fail_errno("making a directory to work in");
	answer = plugins_ask(r->plugins, RESTORE_EXT_MOUNT, (int)mount->entry->mnt_id, point, host_root, NULL);
	if (answer == -EOPNOTSUPP)
		return refuse(EOPNOTSUPP, "a plugin saved it, but none mounts it now: is it loaded (--libdir)?");
	if (answer < 0)
		return plugins_fail(r->plugins, answer);
	mount->fd = mountapi_clone(AT_FDCWD, point);
	return mount->fd < 0 ? fail(-mount->fd, "cloning what the plugin mounted") : 0;
}

int staging_clone_mounts(struct restore *r)
{
	char path[32];
	AUTO_CLOSE int staging = -1;
	struct mount *m;

	if (unshare(CLONE_NEWNS) < 0 || mountapi_make_all_private() < 0)
		return fail_errno("making a mount namespace to work in");
	staging = open_staging(path);
	TRY(staging);
	for (const struct superblock *super = restore_mounts(r)->supers; super; super = super->next)
		if (super->fd >= 0)
			TRY(hang_up(staging, super));
	TRY(sharing_prepare(restore_mounts(r)));
	for_each_mount(m, restore_mounts(r)) {
		if (m->entry->with_plugin)
			TRY(clone_plugged(r, m, staging, path));
		else if (m->fd < 0 && !mount_is_late(m) && !m->left_out && !pty_is_mounted(m))
			TRY(clone_anew(r, m));
		if (m->fd >= 0 && !mount_is_outside(m))
			TRY(idmap_restore(r, m));
	}
	return 0;
}
