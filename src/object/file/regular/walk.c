/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opens paths of images for root. The kernel tells paths of open files without links; so a link on the way has come
 * since. One that root has put there, as another layout of the machine, is followed. One that anybody else could have
 * put there is not: he would be given a file that he may not open.
 */
#include "object/file/regular/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"

#define LINKS_MAX 40 /* as of the kernel, path_resolution(7) */

struct walk {
	int dir;
	char rest[PATH_MAX]; /* from there on */
	unsigned links;
	struct open_how how;
};

static int open_exactly(int dir, const char *name, const struct open_how *how)
{
	struct open_how strict = *how;

	strict.resolve |= RESOLVE_NO_SYMLINKS;
	return (int)syscall(SYS_openat2, dir, name, &strict, sizeof(strict));
}

static int go_to(struct walk *walk, int dir)
{
	if (dir < 0)
		return -1;
	auto_close(&walk->dir);
	walk->dir = dir;
	return 0;
}

static bool is_of_root(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* Nobody else can have made it, or put it there. */
static bool is_trusted(const struct walk *walk, const struct stat *link)
{
	struct stat dir;

	return is_of_root(link->st_uid) && fstat(walk->dir, &dir) == 0 && is_of_root(dir.st_uid) &&
	       !(dir.st_mode & (S_IWGRP | S_IWOTH));
}

/* The link is put in front of the rest. */
static int follow_link(struct walk *walk, int link, const struct stat *st, const char *name)
{
	char target[PATH_MAX], whole[2 * PATH_MAX];
	ssize_t size = readlinkat(link, "", target, sizeof(target) - 1);
	struct statfs fs;

	if (size < 0 || fstatfs(link, &fs) < 0)
		return -1;
	target[size] = 0;
	errno = ELOOP;
	if (fs.f_type == PROC_SUPER_MAGIC || walk->links++ == LINKS_MAX)
		return -1;
	if (!is_trusted(walk, st)) {
		log_warn("the link \"%s\" to \"%s\" was not there at the dump, and others than root could have put it "
			 "there: it is not followed",
			 name, target);
		errno = ELOOP;
		return -1;
	}
	snprintf(whole, sizeof(whole), "%s/%s", target, walk->rest);
	errno = ENAMETOOLONG;
	if (strlen(whole) >= sizeof(walk->rest))
		return -1;
	memcpy(walk->rest, whole, strlen(whole) + 1);
	return target[0] == '/' ? go_to(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

/* One name. 1: all are done, and *ret_fd is open. */
static int walk_on(struct walk *walk, int *ret_fd)
{
	char *name = walk->rest + strspn(walk->rest, "/"), *end = name + strcspn(name, "/"), leaf[NAME_MAX + 1];
	AUTO_CLOSE int next = -1;
	struct stat st;

	errno = ENAMETOOLONG;
	if (end - name > NAME_MAX)
		return -1;
	snprintf(leaf, sizeof(leaf), "%.*s", (int)(end - name), *name ? name : ".");
	if (!*name)
		strcpy(leaf, ".");
	if (!end[strspn(end, "/")]) {
		*ret_fd = open_exactly(walk->dir, leaf, &walk->how);
		if (*ret_fd >= 0 || errno != ELOOP)
			return *ret_fd < 0 ? -1 : 1;
	}
	next = openat(walk->dir, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0 || fstat(next, &st) < 0)
		return -1;
	memmove(walk->rest, end, strlen(end) + 1);
	return S_ISLNK(st.st_mode) ? follow_link(walk, next, &st, leaf) : go_to(walk, TAKE_FD(next));
}

static int open_carefully(const char *path, const struct open_how *how)
{
	struct walk walk = { .how = *how };
	int more, fd = -1;

	errno = ENAMETOOLONG;
	if (strlen(path) >= sizeof(walk.rest))
		return -1;
	strcpy(walk.rest, path);
	walk.dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	more = walk.dir < 0 ? -1 : 0;
	while (more == 0)
		more = walk_on(&walk, &fd);
	if (walk.dir >= 0) {
		int error = errno;

		close(walk.dir);
		errno = error;
	}
	return fd;
}

int regular_open_path(const char *path, const struct open_how *how)
{
	int fd;

	if (geteuid() != 0)
		return (int)syscall(SYS_openat2, AT_FDCWD, path, how, sizeof(*how));
	fd = open_exactly(AT_FDCWD, path, how);
	return fd < 0 && errno == ELOOP ? open_carefully(path, how) : fd;
}
