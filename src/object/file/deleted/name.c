/* SPDX-License-Identifier: GPL-2.0-only */
/* Names that root makes and removes in directories of others, safe from links that appear meanwhile. */
#include "object/file/deleted/name.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"

static int open_directory(int parent, const char *name)
{
	int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int make_directory(struct held_name *held, int parent, const char *name)
{
	AUTO_CLOSE int copy = fcntl(parent, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return fail_errno("duplicating a descriptor");
	if (mkdirat(parent, name, 0700) < 0)
		return errno == EEXIST ? 0 : fail_errno("making directory %s for a moment", held->path);
	*vector_push(&held->made) = (struct made_directory){ TAKE_FD(copy), xstrdup(name) };
	return 0;
}

/* One step down. 1: it ends here. */
static int walk_path(struct held_name *held, const char *name, enum held_how how)
{
	int next = open_directory(held->dir, name);

	if (next == -ENOENT && how == HELD_MADE) {
		TRY(make_directory(held, held->dir, name));
		next = open_directory(held->dir, name);
	}
	if (next == -ENOTDIR || next == -ELOOP || (next == -ENOENT && how == HELD_NEAREST))
		return 1;
	if (next == -ENOENT && how == HELD_AS_IT_IS)
		return -ENOENT;
	if (next < 0)
		return fail(-next, "opening directory %s", held->path);
	close(held->dir);
	held->dir = next;
	return 0;
}

static int walk_all(struct held_name *held, const char *path, enum held_how how)
{
	const char *at = path + strspn(path, "/"), *base = strrchr(path, '/');
	size_t length = 0;

	base = base ? base + 1 : path;
	while (at < base) {
		size_t size = strcspn(at, "/");
		char name[NAME_MAX + 1];
		int ends;

		if (size > NAME_MAX)
			return fail(ENAMETOOLONG, "%s", path);
		memcpy(name, at, size);
		name[size] = 0;
		/* The kernel tells no such path of an open file. */
		if (!strcmp(name, "..") || !strcmp(name, "."))
			return refuse(EINVAL, "%s is no path of an open file", path);
		snprintf(held->path + length, sizeof(held->path) - length, "/%s", name);
		ends = walk_path(held, name, how);
		if (ends) {
			held->path[length] = 0;
			TRY(ends);
			break;
		}
		length += size + 1;
		at += size + strspn(at + size, "/");
	}
	snprintf(held->path + length, sizeof(held->path) - length, "/%s", base);
	return *base ? 0 : refuse(EINVAL, "%s is no name of a file", path);
}

int held_name_open(int root, const char *path, enum held_how how, struct held_name *ret)
{
	*ret = (struct held_name)HELD_NAME_NONE;
	if (strlen(path) >= sizeof(ret->path))
		return fail(ENAMETOOLONG, "%s", path);
	ret->dir = root >= 0 ? fcntl(root, F_DUPFD_CLOEXEC, 3) : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ret->dir < 0)
		return fail_errno("opening the root directory of %s", path);
	return walk_all(ret, path, how);
}

const char *held_name_base(const struct held_name *name)
{
	return strrchr(name->path, '/') + 1;
}

int held_name_change(struct held_name *name, const char *base)
{
	size_t at = (size_t)(held_name_base(name) - name->path);

	return snprintf(name->path + at, sizeof(name->path) - at, "%s", base) >= (int)(sizeof(name->path) - at)
		       ? fail(ENAMETOOLONG, "%s", base)
		       : 0;
}

void held_name_close(struct held_name *name)
{
	while (name->made.n) {
		struct made_directory made = name->made.items[--name->made.n];

		if (unlinkat(made.parent, made.name, AT_REMOVEDIR) < 0)
			log_warn("directory %s of %s was made for a moment and could not be removed: %s", made.name,
				 name->path, strerror(errno));
		close(made.parent);
		free(made.name);
	}
	vector_done(&name->made);
	if (name->dir >= 0)
		close(name->dir);
	name->dir = -1;
}

/* Through /proc/self/fd it takes no capability. */
int held_name_link(const struct held_name *name, int fd)
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, name->dir, held_name_base(name), AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static bool is_same(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int held_name_find(const struct held_name *name, int fd, int *ret_fd)
{
	AUTO_CLOSE int found = openat(name->dir, held_name_base(name), O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (found < 0)
		return -errno;
	if (!is_same(found, fd))
		return -ESTALE;
	*ret_fd = TAKE_FD(found);
	return 0;
}

void held_name_remove(const struct held_name *name, int fd)
{
	AUTO_CLOSE int found = -1;
	struct stat st;

	if (held_name_find(name, fd, &found) < 0 || fstat(found, &st) < 0 ||
	    unlinkat(name->dir, held_name_base(name), S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
		log_warn("%s was made for a moment, and somebody has moved or removed it", name->path);
}
