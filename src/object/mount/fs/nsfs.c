/* SPDX-License-Identifier: GPL-2.0-only */
/* Namespace files that are mounted somewhere, as `ip netns add` does: they keep a namespace alive, and give it a name.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "kern/mountapi.h"
#include "object/mount/core.h"
#include "object/namespace/namespace.h"
#include "session/pids.h"

/* In mountinfo: "net:[4026531840]" */
static ino_t parse_root(const char *root, const struct namespace_kind *kind)
{
	const char *rest = text_after(root, kind->name);

	rest = rest ? text_after(rest, ":[") : NULL;
	return rest ? strtoull(rest, NULL, 10) : 0;
}

bool nsfs_is(const struct proc_mount *seen)
{
	return strcmp(seen->fs_type, "nsfs") == 0;
}

int nsfs_dump(const struct dump *d, struct mount *mount)
{
	const struct namespace *ns;

	for_each_namespace(ns, dump_namespaces(d)) {
		if (!ns->inode || (ns->own && !ns->task) || parse_root(mount->seen->root, ns->kind) != ns->inode)
			continue;
		mount->entry->has_space = mount->entry->has_space_kind = true;
		mount->entry->space = ns->id;
		mount->entry->space_kind = ns->kind->flag;
		return 0;
	}
	return -ENOENT;
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

	if (!ns)
		return refuse(EINVAL, "the namespace that is mounted there is not in the images");
	/* It begins with its first process, after the mounts. */
	if (ns->kind->flag == CLONE_NEWPID && !ns->of_root && !ns->own)
		mount->kept_space = ns->task->pid_space;
	return 0;
}

int nsfs_clone(struct restore *r, struct mount *mount)
{
	const struct namespace *ns = find_namespace(r, mount->entry);
	AUTO_FREE char *path = xprintf("/proc/self/ns/%s", ns->kind->name);
	int there = mount->kept_space ? mount->kept_space->fd : ns->fd;
	AUTO_CLOSE int own = there < 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (there < 0 && own < 0)
		return fail_errno("opening %s", path);
	mount->fd = mountapi_clone(there < 0 ? own : there, "");
	return mount->fd < 0 ? fail(-mount->fd, "cloning the file of the %s namespace", ns->kind->name) : 0;
}
