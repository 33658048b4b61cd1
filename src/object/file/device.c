/* SPDX-License-Identifier: GPL-2.0-only */
/* Character devices without state: /dev/null and its kin, real-time clocks. They are entries with a path like regular
 * files. All others are left to plugins. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "object/file/regular/regular.h"
#include "object/mount/mount.h"
#include "session/loss.h"

#define MEM_MAJOR    1
#define MISC_MAJOR   10
#define AUTOFS_MINOR 235 /* whoever has it names the mount with each call: Documentation/filesystems/autofs.rst */

/* Documentation/admin-guide/devices.txt */
static const struct {
	unsigned minor;
	const char *path;
} nodes[] = {
	{ 3, "/dev/null" }, { 5, "/dev/zero" }, { 7, "/dev/full" }, { 8, "/dev/random" }, { 9, "/dev/urandom" },
};

static bool is_of_memory(const struct stat *st)
{
	if (!S_ISCHR(st->st_mode) || major(st->st_rdev) != MEM_MAJOR)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		if (minor(st->st_rdev) == nodes[i].minor)
			return true;
	return false;
}

static bool has_no_state(const struct stat *st)
{
	return is_of_memory(st) || (S_ISCHR(st->st_mode) && st->st_rdev == makedev(MISC_MAJOR, AUTOFS_MINOR));
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

/* --- nodes that the tree cannot reach --- */

/* The path leads to the node through a mount of the tree, or it is somebody else's to say what becomes of it. */
static bool is_in_reach(const struct dump *d, const struct open_file *of)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct stat st;

	if (mount_dump_root(d, of->task) < 0 || mount_dump_has(d, of->mnt_id) || mount_dump_detached(d, of->mnt_id) ||
	    !of->stat.st_nlink)
		return true;
	return mount_stay_begin(mount_dump_root(d, of->task), &stay) == 0 && stat(of->link, &st) == 0 &&
	       st.st_dev == of->stat.st_dev && st.st_ino == of->stat.st_ino;
}

/* Another node of the same device, where the restore can open it. */
static bool find_node(const struct dump *d, const struct open_file *of, const char *path, struct open_file *node)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct statvfs fs;
	struct statx stx;

	*node = *of;
	node->link = path;
	if (mount_stay_begin(mount_dump_root(d, of->task), &stay) < 0 || stat(path, &node->stat) < 0 ||
	    !S_ISCHR(node->stat.st_mode) || node->stat.st_rdev != of->stat.st_rdev || statvfs(path, &fs) < 0 ||
	    fs.f_flag & ST_NODEV || statx(AT_FDCWD, path, 0, STATX_MNT_ID, &stx) < 0)
		return false;
	node->mnt_id = (int)stx.stx_mnt_id;
	return mount_dump_has(d, node->mnt_id);
}

/*
 * Who comes into a mount namespace (lxc-attach(1), nsenter(1)) brings nodes along that are nowhere in it. But such a
 * node tells nothing but the numbers of a device: another node with the same ones stands in for it.
 */
static bool find_other_node(const struct dump *d, const struct open_file *of, struct open_file *node)
{
	if (find_node(d, of, of->link, node))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		if (nodes[i].minor == minor(of->stat.st_rdev) && find_node(d, of, nodes[i].path, node))
			return true;
	return false;
}

static int dump_memory_device(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	struct open_file node;

	if (is_in_reach(d, of))
		return regular_dump(d, of, out->reg);
	if (!find_other_node(d, of, &node)) {
		if (mount_dump_id(d, of->mnt_id) > 0)
			return regular_dump(d, of, out->reg); /* criu sees it, and will open it where it is */
		return refuse(
			EOPNOTSUPP,
			"it is device %u:%u through a node outside of the tree's mounts (by lxc-attach, nsenter), "
			"and the tree has none of that device: make one (mknod %s c %u %u), or --external "
			"'file[%x:%lx]'",
			major(of->stat.st_rdev), minor(of->stat.st_rdev), of->link, major(of->stat.st_rdev),
			minor(of->stat.st_rdev), (unsigned)of->mnt_id, (unsigned long)of->stat.st_ino);
	}
	dump_report_loss(d,
			 "that it has device %u:%u by a node outside of the tree's mounts (lxc-attach, nsenter): "
			 "restored, it has it by %s of the tree",
			 major(of->stat.st_rdev), minor(of->stat.st_rdev), node.link);
	return regular_dump(d, &node, out->reg);
}

static int dump_device(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	if (!has_no_state(&of->stat))
		log_warn("periodic and update interrupts of a real-time clock are off after the restore: the program "
			 "must switch them on again");
	out->reg->id = of->id;
	return is_of_memory(&of->stat) ? dump_memory_device(d, of, out) : regular_dump(d, of, out->reg);
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
