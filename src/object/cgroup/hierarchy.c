/* SPDX-License-Identifier: GPL-2.0-only */
/* Hierarchies of cgroups are entered by a mount of our own that is attached nowhere: fsmount(2). */
#include "object/cgroup/hierarchy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/proc/mountinfo.h"
#include "kern/proc/proc.h"

bool controllers_have(const char *list, const char *controller)
{
	size_t size = strlen(controller);

	if (!*list || !*controller)
		return !*list && !*controller;
	for (const char *word = list; word; word = strchr(word, ',')) {
		word += *word == ',';
		if (!strncmp(word, controller, size) && (word[size] == ',' || !word[size]))
			return true;
	}
	return false;
}

bool controllers_share(const char *a, const char *b)
{
	AUTO_FREE char *words = xstrdup(a);
	char *rest = words, *word;

	if (!*a)
		return !*b;
	while ((word = strsep(&rest, ",")))
		if (*word && controllers_have(b, word))
			return true;
	return false;
}

static bool have_all(const char *list, const char *controllers)
{
	AUTO_FREE char *words = xstrdup(controllers);
	char *rest = words, *word;

	if (!*controllers)
		return !*list;
	while ((word = strsep(&rest, ",")))
		if (!*word || !controllers_have(list, word))
			return false;
	return true;
}

const struct proc_cgroup *hierarchy_find(const struct proc_cgroups *cgroups, const char *controllers)
{
	for (size_t i = 0; i < cgroups->n; i++)
		if (have_all(cgroups->items[i].controllers, controllers))
			return &cgroups->items[i];
	return NULL;
}

/* "name=systemd" is a key with a value, any other word a flag. */
static int set_controllers(int fs, const char *controllers)
{
	AUTO_FREE char *words = xstrdup(controllers);
	char *rest = words, *word;

	if (!*controllers)
		return 0;
	while ((word = strsep(&rest, ","))) {
		const char *name = text_after(word, "name=");

		if (name ? fsconfig(fs, FSCONFIG_SET_STRING, "name", name, 0) < 0
			 : fsconfig(fs, FSCONFIG_SET_FLAG, word, NULL, 0) < 0)
			return -errno;
	}
	return 0;
}

/* Since 5.2. -EPERM in a user namespace that does not own the cgroup namespace. */
static int mount_own(const char *controllers)
{
	AUTO_CLOSE int fs = fsopen(*controllers ? "cgroup" : "cgroup2", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0)
		return -errno;
	TRY(set_controllers(fs, controllers));
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int hierarchy_make(const char *controllers)
{
	return mount_own(controllers);
}

static bool is_below(const char *path, const char *yard)
{
	size_t size;

	if (!yard)
		return true;
	size = strlen(yard);
	while (size > 1 && yard[size - 1] == '/')
		size--;
	return !strncmp(path, yard, size) && (!path[size] || path[size] == '/');
}

/* The whole hierarchy, where somebody has mounted it. */
static int open_mounted(const char *controllers, const char *yard)
{
	AUTO(pool_destroy) struct pool *pool = pool_create();
	AUTO(proc_mounts_done) struct proc_mounts mounts = { 0 };
	AUTO_CLOSE int self = proc_open(getpid());

	TRY(self);
	TRY(proc_mounts_read(self, pool, &mounts));
	for (size_t i = 0; i < mounts.n; i++) {
		const struct proc_mount *mount = &mounts.items[i];
		int fd;

		if (strcmp(mount->fs_type, *controllers ? "cgroup" : "cgroup2") != 0 || strcmp(mount->root, "/") != 0 ||
		    !is_below(mount->mountpoint, yard) ||
		    (*controllers && !have_all(mount->super_options, controllers)))
			continue;
		fd = open(mount->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

int hierarchy_open(const char *controllers, const char *yard)
{
	const char *name = *controllers ? controllers : "cgroup2";
	int fd, error;

	if (yard) {
		AUTO_FREE char *path = realpath(yard, NULL);

		if (!path)
			return fail_errno("--cgroup-yard %s", yard);
		fd = open_mounted(controllers, path);
		return fd < 0 ? refuse(-fd, "--cgroup-yard %s: the cgroups of %s are not mounted there", yard, name)
			      : fd;
	}
	error = fd = mount_own(controllers);
	if (fd < 0)
		fd = open_mounted(controllers, NULL);
	return fd < 0 ? fail(-error,
			     "getting at the cgroups of %s; --cgroup-yard names a directory where they are mounted",
			     name)
		      : fd;
}
