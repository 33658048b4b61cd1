/* SPDX-License-Identifier: GPL-2.0-only */
/* Character devices without state: /dev/null and its kin, real-time clocks. They are entries with a path like regular
 * files. All others are left to plugins. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "object/file/regular/regular.h"

#define MEM_MAJOR    1
#define MISC_MAJOR   10
#define AUTOFS_MINOR 235 /* whoever has it names the mount with each call: Documentation/filesystems/autofs.rst */

/* Documentation/admin-guide/devices.txt */
static bool has_no_state(const struct stat *st)
{
	static const unsigned minors[] = { 3 /* null */, 5 /* zero */, 7 /* full */, 8 /* random */, 9 /* urandom */ };

	if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(MISC_MAJOR, AUTOFS_MINOR))
		return true;
	if (!S_ISCHR(st->st_mode) || major(st->st_rdev) != MEM_MAJOR)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(minors); i++)
		if (minor(st->st_rdev) == minors[i])
			return true;
	return false;
}

/* rtc(4): time and alarm are the clock's own; whether it interrupts is forgotten when the file is closed, and nobody
 * tells. */
static bool is_clock(const struct stat *st)
{
	char path[64], subsystem[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/subsystem", major(st->st_rdev), minor(st->st_rdev));
	return S_ISCHR(st->st_mode) && file_readlink(AT_FDCWD, path, subsystem, sizeof(subsystem)) > 0 &&
	       text_ends(subsystem, "/class/rtc");
}

static bool is_device(const struct open_file *of)
{
	return !(of->flags & O_PATH) && (has_no_state(&of->stat) || is_clock(&of->stat));
}

static int dump_device(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	if (!has_no_state(&of->stat))
		log_warn("periodic and update interrupts of a real-time clock are off after the restore: the program "
			 "must switch them on again");
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
