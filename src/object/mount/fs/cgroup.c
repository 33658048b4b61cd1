/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cgroup file systems from outside that show only a part: runc binds the cgroup of the container itself in the first
 * version's hierarchies. When it restores it names another place for them, the cgroup that it is in itself, and the
 * container would see those of the whole machine. So the place is found again from where the root task is.
 */
#include "object/mount/fs/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/proc/cgroup.h"
#include "object/mount/mount-set.h"
#include "object/mount/tree.h"
#include "object/mount/fs/fs.h"
#include "session/session.h"

static bool is_cgroup(const struct mount *mount)
{
	return mount->fs && (mount->fs->type == FSTYPE__CGROUP || mount->fs->type == FSTYPE__CGROUP2);
}

static bool has_word(const char *words, const char *word, size_t size)
{
	for (const char *at = words; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, word, size) == 0 && (at[size] == '\0' || at[size] == ','))
			return true;
	}
	return false;
}

/* The options of the file system name the controllers, among other words. */
static bool is_hierarchy(const struct mount *mount, const struct proc_cgroup *cgroup)
{
	size_t size = strcspn(cgroup->controllers, ",");

	if (mount->fs->type == FSTYPE__CGROUP2)
		return cgroup->hierarchy == 0;
	return size && has_word(mount->entry->options, cgroup->controllers, size);
}

/* Where a task is in the hierarchy that is mounted there; NULL: nowhere. */
static int find_place(const struct mount *mount, int proc, struct pool *pool, const char **ret)
{
	struct proc_cgroups cgroups = { 0 };
	int error = proc_cgroups_read(proc, pool, &cgroups);

	*ret = NULL;
	for (size_t i = 0; i < cgroups.n && error == 0; i++)
		if (is_hierarchy(mount, &cgroups.items[i]))
			*ret = cgroups.items[i].path;
	proc_cgroups_done(&cgroups);
	return error < 0 ? fail(-error, "reading /proc/PID/cgroup of the root task") : 0;
}

int cgroup_fs_dump(const struct dump *d, const struct mount *mount)
{
	MntEntry *entry = mount->entry;
	const char *place, *below;

	if (!is_cgroup(mount) || !entry->options)
		return 0;
	TRY(find_place(mount, d->tree->root->dump->proc, d->pool, &place));
	below = place ? path_below(place, entry->root) : NULL;
	if (!below || strcmp(entry->root, "/") == 0)
		return 0;
	entry->has_above_task = true;
	for (entry->above_task = *below != '\0'; *below; below++)
		entry->above_task += *below == '/';
	return 0;
}

/* Our own mount of the hierarchy from which a path leads there. */
static int open_by_own_mounts(struct restore *r, dev_t dev, const char *wanted)
{
	const struct proc_mounts *own = &restore_mounts(r)->own;

	for (size_t i = own->n; i-- > 0;) {
		const struct proc_mount *ours = &own->items[i];
		const char *below = ours->dev == dev ? path_below(wanted, ours->root) : NULL;
		AUTO_CLOSE int top = below ? open(ours->mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
		struct stat st;
		int fd;

		if (top < 0 || fstat(top, &st) < 0 || st.st_dev != dev)
			continue; /* another mount lies upon it */
		fd = openat(top, *below ? below : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

int cgroup_fs_open(struct restore *r, const struct mount *mount, const char *path, int *fd)
{
	AUTO_FREE char *wanted = NULL;
	const char *place;
	struct stat st;
	int part;

	if (!mount->entry->has_above_task || !is_cgroup(mount) || fstat(*fd, &st) < 0)
		return 0;
	TRY(find_place(mount, r->tree->root->restore->proc, r->pool, &place));
	if (!place)
		return 0;
	wanted = xstrdup(place);
	for (uint32_t up = mount->entry->above_task; up && strchr(wanted, '/'); up--)
		*strrchr(wanted, '/') = '\0';
	part = open_by_own_mounts(r, st.st_dev, *wanted ? wanted : "/");
	if (part < 0) {
		log_warn("it showed the cgroup of the tree, which is %s now, but that is seen nowhere here: it shows "
			 "all of %s",
			 wanted, path);
		return 0;
	}
	log_info("It shows the cgroup %s, where the tree is now, as it did, instead of all of %s", wanted, path);
	close(*fd);
	*fd = part;
	return 0;
}
