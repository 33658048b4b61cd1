/* SPDX-License-Identifier: GPL-2.0-only */
/* A folder of ours for the images of one migration. */
#include "flow/migrate/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "options/options.h"

#define PREFIX "criu-migrate-"

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
	(void)remove(path);
	return 0;
}

static void remove_all(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Its process holds a lock on it. */
static int make_folder(const char *base, const char *id, struct migrate_folder *ret)
{
	if (snprintf(ret->path, sizeof(ret->path), "%s/" PREFIX "%s", base, id) >= (int)sizeof(ret->path))
		return refuse(ENAMETOOLONG, "--images-dir %s: the path is too long", base);
	if (mkdir(ret->path, 0700) < 0)
		return fail_errno("the folder %s cannot be made", ret->path);
	ret->fd = open(ret->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->fd < 0 || flock(ret->fd, LOCK_EX | LOCK_NB) < 0)
		return fail_errno("the folder %s cannot be opened", ret->path);
	return 0;
}

/* criu has other work directories than that in which it was started. */
static int find_base(const struct options *options, bool in_memory, char ret[PATH_MAX])
{
	char name[32];
	ssize_t length;

	if (!options_are_given(options, "images-dir")) {
		strcpy(ret, in_memory && access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
		return 0;
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", options->images_dir_fd);
	length = readlink(name, ret, PATH_MAX - 1);
	if (length < 0)
		return fail_errno("--images-dir %s", options->images_dir);
	ret[length] = 0;
	return 0;
}

static bool is_stale(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat stat;

	return fd >= 0 && fstat(fd, &stat) == 0 && stat.st_uid == geteuid() && (stat.st_mode & 0777) == 0700 &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static unsigned sweep_below(const char *base)
{
	AUTO_CLOSEDIR DIR *dir = opendir(base);
	const struct dirent *entry;
	char path[2 * PATH_MAX];
	unsigned n = 0;

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", base, entry->d_name);
		if (!text_starts(entry->d_name, PREFIX) || !is_stale(path))
			continue;
		remove_all(path);
		n++;
	}
	return n;
}

void folder_sweep(const struct options *options, bool in_memory)
{
	char base[PATH_MAX];

	if (find_base(options, in_memory, base) == 0)
		(void)sweep_below(base);
}

unsigned folder_sweep_all(const struct options *options)
{
	char base[PATH_MAX];
	unsigned n = 0;

	if (options_are_given(options, "images-dir") && find_base(options, false, base) == 0)
		n = sweep_below(base);
	return n + sweep_below("/tmp") + sweep_below("/dev/shm");
}

int folder_make(const struct options *options, const char *id, bool in_memory, struct migrate_folder *ret)
{
	char base[PATH_MAX];

	ret->fd = -1;
	TRY(find_base(options, in_memory, base));
	folder_sweep(options, in_memory);
	return make_folder(base, id, ret);
}

int folder_add(const struct migrate_folder *folder, const char *name)
{
	int fd;

	if (mkdirat(folder->fd, name, 0700) < 0 ||
	    (fd = openat(folder->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return fail_errno("the folder %s/%s cannot be made", folder->path, name);
	return fd;
}

void folder_remove(struct migrate_folder *folder)
{
	if (folder->fd < 0)
		return;
	close(folder->fd);
	folder->fd = -1;
	remove_all(folder->path);
}
