/* SPDX-License-Identifier: GPL-2.0-only */
/* Character devices without state: /dev/null and its kin are entries with a path like regular files. All others are left to plugins. */
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "base/fail.h"
#include "object/file/regular.h"

#define MEM_MAJOR 1

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

static bool is_device(const struct open_file *of)
{
	return !(of->flags & O_PATH) && has_no_state(&of->stat);
}

static int dump_device(struct dump *d, const struct open_file *of, FileEntry *out)
{
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
