/* SPDX-License-Identifier: GPL-2.0-only */
/* Namespace files that are mounted somewhere, as `ip netns add` does: they keep a namespace alive, and give it a name.
 */
#include "object/mount/fs/nsfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "kern/mountapi.h"
#include "object/mount/mount-set.h"
#include "object/mount/save.h"
#include "object/namespace/namespace.h"
#include "session/pids.h"

bool nsfs_is(const struct proc_mount *seen)
{
	return strcmp(seen->fs_type, "nsfs") == 0;
}

/* The file itself, whatever is mounted upon it. */
static int open_file(const struct dump *d, const struct mount *mount, int *ret)
{
	AUTO_CLOSE int clone = -1;
	char path[64];

	TRY(mount_reveal(d, mount, &clone));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", clone);
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? fail_errno("opening the namespace that is mounted there") : 0;
}

/* By "net:[4026531840]" in mountinfo. */
static struct namespace *find_known(const struct dump *d, const char *root)
{
	for (const struct namespace_kind *const *kind = namespace_kinds; *kind; kind++) {
		const char *rest = text_after(root, (*kind)->name);

		rest = rest ? text_after(rest, ":[") : NULL;
		if (rest)
			return namespace_find_kept(d, *kind, strtoull(rest, NULL, 10));
	}
	return NULL;
}

int nsfs_dump(const struct dump *d, struct mount *mount, const char **ret_why)
{
	struct namespace *ns = find_known(d, mount->seen->root);
	AUTO_CLOSE int fd = -1;

	*ret_why = NULL;
	if (!ns) {
		TRY(open_file(d, mount, &fd));
		TRY(namespace_keep(d, &fd, &ns, ret_why));
	}
	mount->entry->has_space = mount->entry->has_space_kind = true;
	mount->entry->space = ns->id;
	mount->entry->space_kind = ns->kind->flag;
	return 0;
}

static const struct namespace *find_namespace(const struct restore *r, const MntEntry *entry)
{
	const struct namespace *ns;

	for_each_namespace(ns, restore_namespaces(r))
		if (ns->kind->flag == entry->space_kind && ns->id == entry->space)
			return ns;
	return NULL;
}

int nsfs_load(const struct restore *r, struct mount *mount)
{
	const struct namespace *ns = find_namespace(r, mount->entry);
	const struct namespace_kind *kind = namespace_kind_find(mount->entry->space_kind);

	if (!kind || !namespace_restore_has(r, kind, mount->entry->space))
		return refuse(EINVAL, "the namespace that is mounted there is not in the images");
	/* It begins with its first process, after the mounts. */
	if (ns && kind->flag == CLONE_NEWPID && !ns->of_root && !ns->own && ns->task)
		mount->kept_space = ns->task->pid_space;
	return 0;
}

int nsfs_clone(struct restore *r, struct mount *mount)
{
	const struct namespace_kind *kind = namespace_kind_find(mount->entry->space_kind);
	AUTO_CLOSE int own = mount->kept_space ? -1 : namespace_restore_open(r, kind, mount->entry->space);
	int there = mount->kept_space ? mount->kept_space->fd : own;

	TRY(there);
	mount->fd = mountapi_clone(there, "");
	return mount->fd < 0 ? fail(-mount->fd, "cloning the file of the %s namespace", kind->name) : 0;
}
