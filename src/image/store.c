/* SPDX-License-Identifier: GPL-2.0-only */
/* Stores: what all have in common, and directories with their chain of parents. */
#include "image/store.h"

#include "image/blocks/store-blocks.h"
#include "image/backend.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/pool.h"
#include "base/vector.h"
#include "image/cipher.h"
#include "image/read-ahead.h"
#include "image/write-behind.h"

#define PARENT_LINK "parent"

struct store *store_create(const struct store_ops *ops, size_t size)
{
	struct store *store = xzalloc(size);

	store->ops = ops;
	store->pool = pool_create();
	store->dir = -1;
	return store;
}

void store_close(struct store **store)
{
	struct store *gone = *store;

	if (!gone)
		return;
	store_close(&gone->parent);
	gone->ops->close(gone);
	pool_destroy(&gone->pool);
	cipher_destroy(&gone->cipher);
	free(gone);
	*store = NULL;
}

static void adopt_parent(struct store *store)
{
	store->parent->child = store;
	store->parent->private_key = store->private_key;
	store->parent->pages_elsewhere = store->pages_elsewhere;
}

int store_get_parent(struct store *store, struct store **ret)
{
	if (!store->parent) {
		TRY(store->ops->open_parent(store, &store->parent));
		adopt_parent(store);
	}
	*ret = store->parent;
	return 0;
}

int store_set_parent(struct store *store, const char *path, struct store **ret)
{
	TRY(store->ops->set_parent(store, path));
	adopt_parent(store);
	*ret = store->parent;
	return 0;
}

struct pool *store_get_pool(struct store *store)
{
	return store->pool;
}

int store_get_dir(const struct store *store)
{
	return store->dir;
}

int store_list(struct store *store, int (*visit)(void *arg, const char *name), void *arg)
{
	return store->ops->list(store, visit, arg);
}

void store_set_version(struct store *store, int version)
{
	store->version = version;
}

/* --- directories --- */

/* As it was written, or has been read. */
static bool open_kept(struct store *store, struct image *image)
{
	size_t size;
	const unsigned char *data = store->written ? write_behind_find(store->written, image->name, &size)
						   : read_ahead_find(store, image->name, &size);

	if (!data)
		return false;
	image->buffer = (unsigned char *)data;
	image->end = image->capacity = size;
	image->borrowed = image->at_end = true;
	return true;
}

static int dir_open(struct store *store, struct image *image)
{
	struct stat st;

	if (open_kept(store, image))
		return 0;
	if (store->written && write_behind_lacks(store->written, image->name))
		return -ENOENT;
	/* A fifo would let us wait for its other end, a device do whatever it does. */
	image->fd = openat(store->dir, image->name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (image->fd < 0)
		return errno == ENOENT ? -ENOENT : fail_errno("cannot open %s", image->name);
	if (fstat(image->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse(EINVAL, "%s is no regular file: it cannot be an image", image->name);
	image->file_size = (uint64_t)st.st_size;
	return 0;
}

/*
 * Always a new file: one that lies there may be open elsewhere, be readable by others, or have a second name. Images
 * hold what is in the memory of tasks.
 */
static int create_new(int dir, const char *name)
{
	return openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* A link is a mistake, or an attack on who writes into a directory of others. */
static int remove_old(int dir, const char *name)
{
	struct stat old;

	if (fstatat(dir, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(old.st_mode))
		return fail(ELOOP, "cannot create %s, there is a symbolic link of that name", name);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return fail_errno("cannot remove the old %s", name);
	return 0;
}

int store_make_file(int dir, const char *name)
{
	int fd = create_new(dir, name);

	if (fd < 0 && errno == EEXIST) {
		TRY(remove_old(dir, name));
		fd = create_new(dir, name);
	}
	return fd < 0 ? fail_errno("cannot create %s", name) : fd;
}

static int dir_place(struct store *store, struct image *image)
{
	if (store->behind) {
		TRY(write_behind_forget(store->behind, image->name));
		write_behind_note(store->behind, image->name);
	}
	image->fd = store_make_file(store->dir, image->name);
	return image->fd < 0 ? image->fd : 0;
}

/* The inventory makes a checkpoint of the images: all of them are there before it is. */
static int dir_create(struct store *store, struct image *image)
{
	if (store->behind && image->id == IMAGE_INVENTORY)
		TRY(write_behind_wait(store->behind));
	if (store_wants_blocks(store, image->id) && !image->in_blocks)
		return store_make_temporary(image);
	if (!store->behind || store->in_blocks || image->id == IMAGE_INVENTORY)
		return dir_place(store, image);
	return 0;
}

static int finish_temporary(struct store *store, struct image *image)
{
	AUTO_CLOSE int file = store_make_file(store->dir, image->name);

	TRY(file);
	if (store->behind)
		write_behind_note(store->behind, image->name);
	TRY(store_finish_temporary(image, file));
	/* Network and quota file systems report late write errors here. */
	return close(TAKE_FD(file)) < 0 ? fail_errno("%s: cannot write", image->name) : 0;
}

static int dir_finish(struct store *store, struct image *image)
{
	if (image->temporary)
		return finish_temporary(store, image);
	if (image->fd >= 0)
		return 0;
	write_behind_add(store->behind, image->name, xrealloc(image->buffer, image->end ?: 1), image->end);
	image->buffer = NULL;
	return 0;
}

static int dir_remove(struct store *store, const char *name)
{
	if (store->behind && write_behind_lacks(store->behind, name))
		return 0;
	if (store->behind)
		TRY(write_behind_forget(store->behind, name));
	if (unlinkat(store->dir, name, 0) < 0 && errno != ENOENT)
		return fail_errno("cannot remove the old %s", name);
	return 0;
}

/* A chain of parents that comes back to a directory it has been in would never end. */
static int refuse_loop(const struct store *store, int dir)
{
	struct stat there, here;

	if (fstat(dir, &there) < 0)
		return fail_errno("cannot stat the parent images");
	for (; store && store->dir >= 0; store = store->child) {
		if (fstat(store->dir, &here) < 0)
			return fail_errno("cannot stat the images directory");
		if (here.st_dev == there.st_dev && here.st_ino == there.st_ino)
			return refuse(ELOOP, "the link '%s' of the images leads back to a child of these images",
				      PARENT_LINK);
	}
	return 0;
}

static int dir_open_parent(struct store *store, struct store **ret)
{
	struct stat link;
	AUTO_CLOSE int dir = -1;

	if (fstatat(store->dir, PARENT_LINK, &link, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -ENOENT : fail_errno("cannot look for parent images");
	dir = openat(store->dir, PARENT_LINK, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_errno("cannot open the parent images that the link '%s' names", PARENT_LINK);
	TRY(refuse_loop(store, dir));
	return store_open_dir(dir, false, ret);
}

/* An older link is replaced; anything else of that name is not ours to remove. */
static int dir_set_parent(struct store *store, const char *path)
{
	struct stat old;
	int result;

	if (fstatat(store->dir, PARENT_LINK, &old, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISLNK(old.st_mode))
			return refuse(
				EEXIST,
				"the images directory has a file '%s': that name is for the link to the parent images",
				PARENT_LINK);
		if (unlinkat(store->dir, PARENT_LINK, 0) < 0)
			return fail_errno("cannot remove the old link '%s'", PARENT_LINK);
	}
	if (symlinkat(path, store->dir, PARENT_LINK) < 0)
		return fail_errno("cannot make the link '%s' to the parent images", PARENT_LINK);
	result = dir_open_parent(store, &store->parent);
	if (result < 0)
		unlinkat(store->dir, PARENT_LINK, 0);
	return result;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int dir_list(struct store *store, int (*visit)(void *arg, const char *name), void *arg)
{
	VECTOR(char *) names = { 0 };
	AUTO_CLOSEDIR DIR *dir = NULL;
	int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	struct dirent *entry;

	if (fd < 0 || !(dir = fdopendir(fd)))
		return fail_errno("cannot list the images directory");
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		*vector_push(&names) = xstrdup(entry->d_name);
	}
	if (names.n)
		qsort(names.items, names.n, sizeof(*names.items), compare_names);
	for (size_t i = 0; i < names.n && !ret; i++)
		ret = visit(arg, names.items[i]);
	for (size_t i = 0; i < names.n; i++)
		free(names.items[i]);
	vector_done(&names);
	return ret;
}

static void dir_close(struct store *store)
{
	read_ahead_end(store);
	write_behind_destroy(&store->behind);
	close(store->dir);
}

static const struct store_ops dir_ops = {
	.open = dir_open,
	.create = dir_create,
	.place = dir_place,
	.finish = dir_finish,
	.remove = dir_remove,
	.open_parent = dir_open_parent,
	.set_parent = dir_set_parent,
	.list = dir_list,
	.close = dir_close,
};

int store_open_dir(int dirfd, bool for_writing, struct store **ret)
{
	struct store *store;
	struct stat stat;
	AUTO_CLOSE int dir = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);

	if (dir < 0 || fstat(dir, &stat) < 0)
		return fail_errno("cannot use the images directory");
	if (!S_ISDIR(stat.st_mode))
		return refuse(ENOTDIR, "the images directory is not a directory");
	store = store_create(&dir_ops, sizeof(*store));
	store->dir = TAKE_FD(dir);
	store->for_writing = for_writing;
	*ret = store;
	return 0;
}

static int note_name(void *behind, const char *name)
{
	write_behind_note(behind, name);
	return 0;
}

/* What lies there is known from now on: old images need not be looked for one by one. */
int store_write_behind(struct store *store)
{
	if (store->ops != &dir_ops || store->in_blocks)
		return 0;
	store->behind = write_behind_create(store->dir);
	return dir_list(store, note_name, store->behind);
}

int store_write_rest(struct store *store)
{
	return store->behind ? write_behind_wait(store->behind) : 0;
}

void store_read_written(struct store *store, const struct store *written)
{
	store->written = written->behind;
}
