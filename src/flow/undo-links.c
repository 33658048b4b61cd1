/* SPDX-License-Identifier: GPL-2.0-only */
/* Names that a dump with --link-remap gave to removed files. */
#include "flow/undo-links.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/pool.h"
#include "base/text.h"
#include "flow/undo.h"
#include "object/file/file.h"

#define DELETED " (deleted)"
#define PREFIX	"link_remap."

/* The directory in which the file had its name, as the task sees it; -1: there is none any more. */
static int open_folder(int proc, char *path)
{
	char *leaf = strrchr(path, '/');
	char below[PATH_MAX + 32];

	if (path[0] != '/' || !text_ends(path, DELETED))
		return -1;
	leaf[leaf == path] = 0;
	snprintf(below, sizeof(below), "root%s", path);
	return openat(proc, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void tell_link(const char *folder, const char *name, bool removed, struct undone *undone)
{
	if (removed)
		*vector_push(&undone->done) = pool_printf(undone->pool, "removed the link %s/%s", folder, name);
	else
		*vector_push(&undone->left) = pool_printf(
			undone->pool,
			"%s/%s is a name that a dump gave to a removed file that is open still; a checkpoint "
			"made with --link-remap needs it. If there is none: criu undo --discard",
			folder, name);
}

static void look_into(int folder, const char *path, const struct stat *file, bool remove, struct undone *undone)
{
	AUTO_CLOSEDIR DIR *dir = fdopendir(dup(folder));
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		if (!text_starts(entry->d_name, PREFIX) ||
		    fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != file->st_ino ||
		    st.st_dev != file->st_dev)
			continue;
		if (!remove || unlinkat(folder, entry->d_name, 0) == 0)
			tell_link(path, entry->d_name, remove, undone);
	}
}

static void look_at(int proc, int number, bool remove, struct undone *undone)
{
	char name[32], path[PATH_MAX + 16];
	AUTO_CLOSE int folder = -1;
	struct stat file;
	ssize_t length;

	snprintf(name, sizeof(name), "fd/%d", number);
	length = readlinkat(proc, name, path, sizeof(path) - 1);
	if (length <= 0)
		return;
	path[length] = 0;
	folder = open_folder(proc, path);
	if (folder >= 0 && fstatat(proc, name, &file, 0) == 0 && S_ISREG(file.st_mode) && file.st_nlink)
		look_into(folder, path, &file, remove, undone);
}

void undo_links(int proc, bool remove, struct undone *undone)
{
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(proc, "fd", &numbers);

	for (int i = 0; i < n; i++)
		look_at(proc, numbers[i], remove, undone);
}
