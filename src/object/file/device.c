/* SPDX-License-Identifier: GPL-2.0-only */
/* Character devices without state: /dev/null and its kin are entries with a path like regular files. All others are refused. */
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "base/fail.h"
#include "object/file/regular.h"

#define MEM_MAJOR 1

static bool is_device(const struct open_file *of)
{
	return (S_ISCHR(of->stat.st_mode) || S_ISBLK(of->stat.st_mode)) && !(of->flags & O_PATH);
}

/* Documentation/admin-guide/devices.txt */
static bool has_no_state(const struct stat *st)
{
	static const unsigned minors[] = { 3 /* null */, 5 /* zero */, 7 /* full */, 8 /* random */, 9 /* urandom */ };

	if (!S_ISCHR(st->st_mode) || major(st->st_rdev) != MEM_MAJOR)
		return false;
	for (size_t i = 0; i < sizeof(minors) / sizeof(*minors); i++)
		if (minor(st->st_rdev) == minors[i])
			return true;
	return false;
}

static int dump_device(struct dump *d, const struct open_file *of, FileEntry *out)
{
	if (!has_no_state(&of->stat))
		return refuse(ENOTSUP, "%s device %u:%u: nothing is known about what its driver keeps for the program; let the "
				       "program close it before the dump, or use a plugin for it",
			      S_ISCHR(of->stat.st_mode) ? "character" : "block", major(of->stat.st_rdev),
			      minor(of->stat.st_rdev));
	out->reg->id = of->id;
	return regular_dump(d, of, out->reg);
}

/* Its records are read by the regular kind. */
static bool claims_nothing(const FileEntry *entry)
{
	return false;
}

const struct file_kind device_kind = {
	.name = "device",
	.type = FD_TYPES__REG,
	.entry = offsetof(FileEntry, reg),
	.is = is_device,
	.claims = claims_nothing,
	.dump = dump_device,
};
