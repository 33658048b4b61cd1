/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who serves a FUSE file system to others of the tree has to be stopped last: a task that waits for its answer cannot
 * be stopped. They are known by their descriptors of /dev/fuse, which are looked at only where the tree sees such a
 * file system.
 */
#include "flow/freeze/servers.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/auto.h"
#include "base/fd.h"
#include "flow/freeze/served.h"
#include "kern/proc/children.h"
#include "kern/proc/maps.h"
#include "session/session.h"

#define MISC_MAJOR 10
#define FUSE_MINOR 229

enum use { USES_NOTHING, USES_FUSE, SERVES_FUSE };

static enum use look_at(const struct dump *d, int proc, const char *name)
{
	struct statx st;

	if (statx(proc, name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return USES_NOTHING;
	if (S_ISCHR(st.stx_mode) && st.stx_rdev_major == MISC_MAJOR && st.stx_rdev_minor == FUSE_MINOR)
		return SERVES_FUSE;
	return served_is_on(d, makedev(st.stx_dev_major, st.stx_dev_minor)) ? USES_FUSE : USES_NOTHING;
}

static enum use look_at_descriptors(const struct dump *d, int proc)
{
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(proc, "fd", &numbers);
	enum use most = USES_NOTHING;
	char path[32];

	for (int i = 0; i < n && most < SERVES_FUSE; i++) {
		enum use use;

		snprintf(path, sizeof(path), "fd/%d", numbers[i]);
		use = look_at(d, proc, path);
		most = use > most ? use : most;
	}
	return most;
}

static bool has_mappings(const struct dump *d, const struct task *task)
{
	AUTO(mappings_done) struct mappings maps = { 0 };

	if (mappings_read(task->dump->proc, MAPPINGS_PLAIN, &maps) < 0)
		return false;
	for (size_t i = 0; i < maps.n; i++)
		if (maps.items[i].inode && served_is_on(d, maps.items[i].dev))
			return true;
	return false;
}

static bool has_children(const struct task *task)
{
	AUTO(proc_pids_done) struct proc_pids pids = { 0 };

	return proc_children_read(task->dump->proc, &pids) < 0 || pids.n;
}

/* A server may have a helper, as sshfs has an ssh: it has nothing of the file system. Who has children waits for no
 * server, as a rule, and they cannot be stopped before it. */
bool freeze_serves_others(const struct dump *d, const struct task *task)
{
	enum use use;

	/* The first one waits for nobody of the tree when it is asked. */
	if (task == d->tree->root || !served_look(d, task->dump->proc))
		return false;
	use = look_at_descriptors(d, task->dump->proc);
	if (use != USES_NOTHING)
		return use == SERVES_FUSE;
	return look_at(d, task->dump->proc, "cwd") == USES_NOTHING &&
	       look_at(d, task->dump->proc, "exe") == USES_NOTHING && !has_mappings(d, task) && !has_children(task);
}
