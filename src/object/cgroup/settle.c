/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks go into their cgroups, and the cgroups get their properties. */
#include "object/cgroup/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"

/* --- properties --- */

/* Some CRIU writes what it had on its stack where it did not look. */
static int set_owner(int dir, const char *name, const CgroupPerms *perms, mode_t type)
{
	if (!perms || (perms->mode & S_IFMT) != type)
		return 0;
	if (fchownat(dir, name, perms->uid, perms->gid, 0) < 0 || fchmodat(dir, name, perms->mode & 07777, 0) < 0)
		return errno == ENOENT ? 0 : fail_errno("setting owner and mode of %s", name);
	return 0;
}

static int open_directory(const struct cg_directory *directory)
{
	int fd = openat(directory->hierarchy->root, directory->path[1] ? directory->path + 1 : ".",
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? fail_errno("opening the cgroup") : fd;
}

static int set_property(int dir, const CgroupPropEntry *prop, bool report)
{
	int error = property_write(dir, prop->name, prop->value);

	if (error == -ENOENT) {
		if (report)
			log_warn("this kernel has no %s: \"%s\" is not restored", prop->name, prop->value);
		return 0;
	}
	if (error < 0 && report)
		return fail(-error, "setting %s to \"%s\"", prop->name, prop->value);
	return error;
}

/* Some can be set only after others: what fails at first is tried once more. */
static int set_properties(int dir, const CgroupDirEntry *record, enum property_when when)
{
	AUTO_FREE bool *again = xzalloc(record->n_properties + 1);

	for (size_t i = 0; i < record->n_properties; i++)
		if (property_when(record->properties[i]->name) == when)
			again[i] = set_property(dir, record->properties[i], false) < 0;
	for (size_t i = 0; i < record->n_properties; i++)
		if (again[i])
			TRY(set_property(dir, record->properties[i], true));
	return 0;
}

int cgroup_settle(const struct cg_directory *directory, enum property_when when)
{
	AUTO_CLOSE int dir = -1;

	if (!directory->settled)
		return 0;
	LOG_SCOPE("cgroup %s of %s", directory->path,
		  *directory->hierarchy->name ? directory->hierarchy->name : "cgroup2");
	dir = open_directory(directory);
	TRY(dir);
	if (when != PROPERTY_EARLY)
		return set_properties(dir, directory->record, when);
	TRY(set_owner(dir, ".", directory->record->dir_perms, S_IFDIR));
	for (size_t i = 0; i < directory->record->n_properties; i++)
		TRY(set_owner(dir, directory->record->properties[i]->name, directory->record->properties[i]->perms,
			      S_IFREG));
	for (size_t i = 0; i < directory->record->n_files; i++)
		TRY(set_owner(dir, directory->record->files[i]->name, directory->record->files[i]->perms, S_IFREG));
	TRY(set_properties(dir, directory->record, PROPERTY_FIRST));
	return set_properties(dir, directory->record, PROPERTY_EARLY);
}

int cgroup_restore_limit(struct restore *r)
{
	if (!cgroup_restore_of(r))
		return 0;
	for (size_t i = 0; i < cgroup_restore_of(r)->directories.n; i++)
		TRY(cgroup_settle(&cgroup_restore_of(r)->directories.items[i], PROPERTY_LATE));
	return 0;
}
