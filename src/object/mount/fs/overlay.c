/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Overlays: of directories of the namespace that they are mounted in, or of directories outside, which container
 * managers make volumes of (podman run -v DIR:/PLACE:O) before they change the root.
 */
#include "object/mount/fs/overlay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/proc/proc.h"
#include "object/mount/collect.h"
#include "object/mount/content/content-dump.h"
#include "object/mount/content/content-restore.h"
#include "object/mount/fs/overlay-base.h"
#include "object/mount/mount-set.h"
#include "object/mount/tree.h"
#include "session/session.h"

/* "lowerdir=/a:/b,upperdir=/c,workdir=/d" */
static const char *const path_options[] = { "lowerdir=", "lowerdir+=", "datadir+=", "upperdir=", "workdir=" };

static const char *skip_name(const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(path_options); i++) {
		const char *rest = text_after(option, path_options[i]);

		if (rest)
			return rest;
	}
	return NULL;
}

/* A colon in a path has a backslash in front, other characters may be there by number. */
static char *unquote_layer(char *path)
{
	char *to = path;

	(void)proc_unescape(path);
	for (const char *from = path; *from; from++) {
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from;
	}
	*to = 0;
	return path;
}

static size_t path_length(const char *path)
{
	size_t n = 0;

	/* mountinfo shows a backslash by its number. */
	while (path[n] && path[n] != ',' && path[n] != ':')
		n += text_starts(path + n, "\\134") && path[n + 4] ? 5 : 1;
	return n;
}

bool overlay_for_all_layers(const char *options, bool (*take)(const char *path, void *arg), void *arg)
{
	for (const char *p = options; *p; p += strcspn(p, ","), p += *p == ',') {
		const char *path = skip_name(p), *end = p + strcspn(p, ",");

		while (path && path < end) {
			size_t n = path_length(path);
			AUTO_FREE char *copy = xprintf("%.*s", (int)n, path);

			if (n && !take(unquote_layer(copy), arg))
				return false;
			path += n;
			path += strspn(path, ":");
		}
	}
	return true;
}

static bool is_absolute(const char *path, void *arg)
{
	return path[0] == '/';
}

static bool is_there(const char *path, void *root)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	AUTO_CLOSE int fd = (int)syscall(SYS_openat2, *(int *)root, path, &how, sizeof(how));

	return fd >= 0;
}

/* The layers of a read-only overlay that is mounted here, as mountinfo shows them; NULL: the path is none. */
static const char *find_inner_layers(const struct dump *d, const char *path, size_t *ret_size)
{
	const struct proc_mounts *own = &dump_mounts(d)->own;

	for (size_t i = own->n; i-- > 0;) {
		const char *options = own->items[i].super_options, *lower = strstr(options, "lowerdir=");

		if (strcmp(own->items[i].mountpoint, path) != 0)
			continue;
		if (strcmp(own->items[i].fs_type, "overlay") != 0 || strcmp(own->items[i].root, "/") != 0 || !lower ||
		    strstr(options, "upperdir=") || strstr(options, "lowerdir+="))
			return NULL;
		lower = skip_name(lower);
		*ret_size = strcspn(lower, ",");
		return lower;
	}
	return NULL;
}

/*
 * A layer may be an overlay itself: an image that is mounted for the container (podman run --mount type=image), and is
 * not any more when the container has ended. Its own layers stay.
 */
static char *flatten_layers(const struct dump *d, const char *options)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	buffer_append(&text, "", 0);
	for (const char *p = options; *p;) {
		const char *path = text_after(p, "lowerdir=");
		size_t size = path ? 0 : strcspn(p, ",");

		buffer_printf(&text, "%.*s", path ? (int)(path - p) : (int)size, p);
		p = path ?: p + size;
		while (path && *p && *p != ',') {
			size_t n = path_length(p), inner_size;
			AUTO_FREE char *layer = unquote_layer(xprintf("%.*s", (int)n, p));
			const char *inner = find_inner_layers(d, layer, &inner_size);

			buffer_printf(&text, "%.*s", inner ? (int)inner_size : (int)n, inner ?: p);
			p += n;
			for (; *p == ':'; p++)
				buffer_printf(&text, ":");
		}
		if (*p == ',')
			p++, buffer_printf(&text, ",");
	}
	return pool_string(d->pool, text.data);
}

struct lying {
	const char *base, *point;
};

static bool lies_elsewhere(const char *path, void *arg)
{
	const struct lying *lying = arg;
	AUTO_FREE char *full = path[0] == '/' || !lying->base ? xstrdup(path) : xprintf("%s/%s", lying->base, path);

	return !path_below(full, lying->point);
}

bool overlay_has_layer_on(const struct mount *mount, const struct mount *other)
{
	struct lying lying = { mount->entry->layers_from, other->entry->mountpoint };

	return !overlay_for_all_layers(mount->entry->options, lies_elsewhere, &lying);
}

bool overlay_lies_on(const struct mount *mount, const struct mount *other)
{
	return other->place < mount->place && overlay_has_layer_on(mount, other);
}

bool overlay_lies_below(const struct mount *mount, const struct mount *other)
{
	for (size_t i = 0; i < mount->entry->n_upon_layers; i++)
		if (mount->entry->upon_layers[i] == other->entry->mnt_id)
			return true;
	return false;
}

struct empty_search {
	struct pool *pool;
	VECTOR(char *) found;
};

static bool add_if_empty(const char *path, void *arg)
{
	struct empty_search *search = arg;
	AUTO_CLOSEDIR DIR *list = opendir(path);
	const struct dirent *entry;

	while (list && (entry = readdir(list)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return true;
	if (list)
		*vector_push(&search->found) = pool_string(search->pool, path);
	return true;
}

/* Such a one may be gone at the restore, and is easily made again. */
static void find_empty_layers(const struct dump *d, MntEntry *entry)
{
	struct empty_search search = { .pool = d->pool };

	(void)overlay_for_all_layers(entry->options, add_if_empty, &search);
	entry->n_empty_layers = search.found.n;
	entry->empty_layers = pool_array(d->pool, char *, search.found.n ?: 1);
	for (size_t i = 0; i < search.found.n; i++)
		entry->empty_layers[i] = search.found.items[i];
	vector_done(&search.found);
}

int overlay_find_outside(const struct dump *d, struct mount *mount)
{
	AUTO_CLOSE int own = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (own < 0)
		return fail_errno("opening the root directory");
	if (!overlay_for_all_layers(mount->entry->options, is_absolute, NULL) ||
	    !overlay_for_all_layers(mount->entry->options, is_there, &own))
		return 0;
	mount->entry->has_made_outside = mount->entry->made_outside = true;
	mount->entry->options = flatten_layers(d, mount->entry->options);
	find_empty_layers(d, mount->entry);
	log_info("%s is made of directories outside", mount->entry->mountpoint);
	return 1;
}

/* Else its layers might be found in itself. */
static bool is_made_with_root(struct mount *mount)
{
	const MntEntry *root = mount->space->root->entry;

	if (!root->made_outside || !mount_is_of_root(mount))
		return false;
	mount->entry->has_made_outside = mount->entry->made_outside = true;
	mount->entry->options = root->options;
	return true;
}

int overlay_dump(const struct dump *d, struct mount *mount)
{
	int outside;

	if (is_made_with_root(mount))
		return 0;
	if (!overlay_for_all_layers(mount->entry->options, is_absolute, NULL)) {
		outside = overlay_find_base(d, mount);
		return outside ? (outside < 0 ? outside : 0)
			       : mount_refuse(mount, "it was made of relative paths, and from where is not known");
	}
	outside = overlay_find_hidden(d, mount);
	if (outside)
		return outside < 0 ? outside : 0;
	if (overlay_for_all_layers(mount->entry->options, is_there, &mount->space->root_fd))
		return 0;
	outside = overlay_find_outside(d, mount);
	return outside ? (outside < 0 ? outside : 0)
		       : mount_refuse(mount, "its layers are neither in its mount namespace nor here");
}

char *overlay_path(const char *options, const char *name)
{
	for (const char *p = options; *p; p += strcspn(p, ","), p += *p == ',') {
		const char *path = text_after(p, name);

		if (path)
			return unquote_layer(xprintf("%.*s", (int)path_length(path), path));
	}
	return NULL;
}

/* Container managers remove it when the container has ended, and expect it to be there again. */
int overlay_save(struct dump *d, const struct superblock *super)
{
	AUTO_FREE char *upper = overlay_path(super->widest->entry->options, "upperdir=");
	AUTO_CLOSE int fd = upper ? open(upper, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	LOG_SCOPE("%.80s", super->widest->entry->mountpoint);
	if (!upper)
		return 0;
	return fd < 0 ? fail_errno("opening the upper directory %s", upper) : content_dump(d, fd, super->dev, false);
}

/* --- restore --- */

/* One step down; who removes the directory later finds it by its parent, whatever has become of the path by then. */
static int make_directory(struct restore *r, int parent, const char *name)
{
	AUTO_CLOSE int copy = fcntl(parent, F_DUPFD_CLOEXEC, 3);
	bool made = copy >= 0 && mkdirat(parent, name, 0700) == 0;
	int fd;

	if (copy < 0 || (!made && errno != EEXIST))
		return -errno;
	fd = openat(parent, name, O_PATH | O_DIRECTORY | O_CLOEXEC | (made ? O_NOFOLLOW : 0));
	if (made)
		*vector_push(&restore_mounts(r)->made) =
			(struct made_outside){ TAKE_FD(copy), fd < 0 ? -1 : dup(fd), pool_string(r->pool, name) };
	return fd < 0 ? -errno : fd;
}

static int make_directories(struct restore *r, const char *path)
{
	AUTO_CLOSE int dir = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (const char *at = path + strspn(path, "/"); *at && dir >= 0; at += strspn(at, "/")) {
		size_t size = strcspn(at, "/");
		char name[NAME_MAX + 1];
		int next;

		if (size > NAME_MAX)
			return fail(ENAMETOOLONG, "%s", path);
		snprintf(name, sizeof(name), "%.*s", (int)size, at);
		next = make_directory(r, dir, name);
		if (next < 0)
			return fail(-next, "making the directory %s of an overlay again", path);
		close(dir);
		dir = next;
		at += size;
	}
	return dir < 0 ? fail_errno("opening the root directory") : 0;
}

int overlay_prepare(struct restore *r, const struct superblock *super)
{
	const MntEntry *entry = super->widest->entry;
	AUTO_FREE char *upper = overlay_path(entry->options, "upperdir="),
		       *work = overlay_path(entry->options, "workdir=");
	AUTO_CLOSE int fd = -1;

	for (size_t i = 0; i < entry->n_empty_layers; i++)
		if (entry->empty_layers[i][0] == '/' && (!upper || strcmp(entry->empty_layers[i], upper) != 0) &&
		    access(entry->empty_layers[i], F_OK) < 0)
			TRY(make_directories(r, entry->empty_layers[i]));
	if (!upper || !work || access(upper, F_OK) == 0 || !super->widest->parent)
		return 0;
	TRY(make_directories(r, work));
	TRY(make_directories(r, upper));
	fd = open(upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("opening %s", upper);
	log_info("%s, the upper directory of %s, was removed: it is made again", upper, entry->mountpoint);
	return content_restore(r, fd, super->widest);
}

/* What is mounted there is left alone. */
static void remove_content(int parent, const char *name, dev_t dev)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct stat st;

	if (!dir && fd >= 0)
		close(fd);
	if (!dir)
		return;
	while (fstat(dirfd(dir), &st) == 0 && st.st_dev == dev && (entry = readdir(dir)) != NULL) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno == EISDIR) {
			remove_content(dirfd(dir), entry->d_name, dev);
			(void)unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
		}
	}
	closedir(dir);
}

/* If it is still there. */
static void remove_made(const struct made_outside *made)
{
	struct stat ours, there;

	if (made->fd < 0 || fstat(made->fd, &ours) < 0 ||
	    fstatat(made->parent, made->name, &there, AT_SYMLINK_NOFOLLOW) < 0 || ours.st_dev != there.st_dev ||
	    ours.st_ino != there.st_ino)
		return;
	remove_content(made->parent, made->name, ours.st_dev);
	(void)unlinkat(made->parent, made->name, AT_REMOVEDIR);
}

void overlay_undo(struct restore *r)
{
	for (size_t i = restore_mounts(r)->made.n; i-- > 0;) {
		struct made_outside *made = &restore_mounts(r)->made.items[i];

		if (failure_error())
			remove_made(made);
		auto_close(&made->parent);
		auto_close(&made->fd);
	}
	vector_done(&restore_mounts(r)->made);
}
