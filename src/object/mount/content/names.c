/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names in a directory of a file system of memory. It lists them in an order that depends on when they were made:
 * who has read a part of it must find the rest, and nothing else, so they are made again in that order.
 */
#include "object/mount/content/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"

int content_names_read(int dir, bool newest_first, struct content_names *ret)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	*ret = (struct content_names){ 0 };
	if (!stream)
		return -errno;
	while (errno = 0, (entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		*vector_push(&ret->list) = (struct content_name){ entry->d_ino, ret->text.n };
		for (const char *c = entry->d_name; c == entry->d_name || c[-1]; c++)
			*vector_push(&ret->text) = *c;
	}
	if (errno)
		return -errno;
	for (size_t i = 0; newest_first && i < ret->list.n / 2; i++) {
		struct content_name *last = &ret->list.items[ret->list.n - 1 - i], first = ret->list.items[i];

		ret->list.items[i] = *last;
		*last = first;
	}
	return 0;
}

void content_names_done(struct content_names *names)
{
	vector_done(&names->text);
	vector_done(&names->list);
}

/* Nothing else tells; a tmpfs that is mounted nowhere is gone at once. */
bool content_lists_newest_first(int root)
{
	AUTO_CLOSE int fs = -1;
	AUTO_CLOSE int mount = -1;
	struct content_names names;
	struct statfs stat;
	bool newest = true;

	if (fstatfs(root, &stat) < 0 || stat.f_type != TMPFS_MAGIC)
		return true;
	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return true;
	mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mount < 0 || mkdirat(mount, "1", 0700) < 0 || mkdirat(mount, "2", 0700) < 0)
		return true;
	if (content_names_read(mount, false, &names) == 0 && names.list.n == 2)
		newest = names.text.items[names.list.items[0].at] == '2';
	content_names_done(&names);
	return newest;
}
