/* SPDX-License-Identifier: GPL-2.0-only */
/* What is in a BPF file system: directories, symbolic links, and names of maps. */
#include "object/file/bpf/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/vector.h"
#include "bpf-object.pb-c.h"
#include "image/image.h"
#include "image/record.h"
#include "kern/bpf.h"
#include "object/file/bpf/map.h"
#include "object/mount/mount.h"
#include "session/ids.h"
#include "session/survey.h"

/* --- dump --- */

struct pins_dump {
	VECTOR(BpfNameEntry *) names;
};

static void destroy_dump(void *state)
{
	struct pins_dump *dump = state;

	vector_done(&dump->names);
}

static const struct state_type pins_dump_state = { sizeof(struct pins_dump), destroy_dump };

/* A walk through one file system, which only looks, or collects the names. */
struct pin_walk {
	const struct dump *d;
	struct pins_dump *names; /* NULL: it only looks */
	const char *point;	 /* where it is mounted */
	uint32_t dev;
	struct {
		ino_t inode;
		const char *name;
	} * seen; /* with several names */
	size_t n_seen;
};

/* The kernel makes two files in each bpf file system (5.10, bpf_preload). */
static bool is_of_kernel(const char *above, const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	       (strcmp(above, ".") == 0 && (strcmp(name, "maps.debug") == 0 || strcmp(name, "progs.debug") == 0));
}

static int open_pin(int dir, const char *leaf)
{
	char path[NAME_MAX + 40];
	union bpf_attr attr = { .file_flags = BPF_F_RDONLY }; /* the file system may be read-only */
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, leaf);
	attr.pathname = (uint64_t)(uintptr_t)path;
	fd = bpf_call(BPF_OBJ_GET, &attr);
	attr.file_flags = 0; /* links are opened so only */
	return fd == -EINVAL ? bpf_call(BPF_OBJ_GET, &attr) : fd;
}

static int note_pin(const struct pin_walk *walk, int dir, const char *leaf, const char *name, uint32_t *ret_id)
{
	AUTO_CLOSE int fd = open_pin(dir, leaf);
	char path[40], what[64] = "";

	if (fd < 0)
		return fail(-fd, "opening what is pinned at %s/%s", walk->point, name);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, what, sizeof(what) - 1) < 0)
		return fail_errno("looking at what is pinned at %s/%s", walk->point, name);
	if (strcmp(what, "anon_inode:bpf-map") != 0)
		return refuse(EOPNOTSUPP,
			      "a BPF %s is pinned at %s/%s, which cannot be saved: remove it, leave all of it out by "
			      "--enable-fs bpf, or take the mount from outside with --external mnt[%s]:NAME",
			      strstr(what, "prog") ? "program" : "link", walk->point, name, walk->point);
	LOG_SCOPE("%s/%s", walk->point, name);
	return bpf_map_note(walk->d, fd, ret_id);
}

static int read_target(const struct pin_walk *walk, int dir, const char *leaf, char **ret)
{
	char target[PATH_MAX];
	ssize_t size = readlinkat(dir, leaf, target, sizeof(target) - 1);

	if (size < 0)
		return fail_errno("reading the link %s", leaf);
	target[size] = 0;
	*ret = pool_string(walk->d->pool, target);
	return 0;
}

/* The name that it was found by first; NULL: this is that. */
static char *find_first(struct pin_walk *walk, const struct stat *st, const char *name)
{
	if (st->st_nlink < 2)
		return NULL;
	for (size_t i = 0; i < walk->n_seen; i++)
		if (walk->seen[i].inode == st->st_ino)
			return pool_string(walk->d->pool, walk->seen[i].name);
	walk->seen = xrealloc(walk->seen, (walk->n_seen + 1) * sizeof(*walk->seen));
	walk->seen[walk->n_seen].inode = st->st_ino;
	walk->seen[walk->n_seen++].name = pool_string(walk->d->pool, name);
	return NULL;
}

static int note_name(struct pin_walk *walk, int dir, const char *leaf, const char *name, const struct stat *st)
{
	BpfNameEntry *entry = pool_new(walk->d->pool, BpfNameEntry);

	bpf_name_entry__init(entry);
	entry->dev = walk->dev;
	entry->name = pool_string(walk->d->pool, name);
	entry->mode = st->st_mode;
	entry->uid = dump_inner_uid(walk->d, st->st_uid);
	entry->gid = dump_inner_gid(walk->d, st->st_gid);
	if (S_ISLNK(st->st_mode))
		TRY(read_target(walk, dir, leaf, &entry->target));
	if (S_ISREG(st->st_mode) && !(entry->first = find_first(walk, st, name))) {
		entry->has_map_id = true;
		TRY(note_pin(walk, dir, leaf, name, &entry->map_id));
	}
	if (walk->names)
		*vector_push(&walk->names->names) = entry;
	return 0;
}

static int walk_directory(struct pin_walk *walk, int dir, const char *above)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *list = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *named;
	struct stat st;

	if (!list || fstat(copy, &st) < 0)
		return fail_errno("listing %s/%s", walk->point, above);
	TRY(note_name(walk, copy, ".", above, &st));
	while ((named = readdir(list))) {
		AUTO_FREE char *name =
			strcmp(above, ".") ? xprintf("%s/%s", above, named->d_name) : xstrdup(named->d_name);
		AUTO_CLOSE int below = -1;

		if (is_of_kernel(above, named->d_name))
			continue;
		if (fstatat(copy, named->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return fail_errno("looking at %s/%s", walk->point, name);
		if (!S_ISDIR(st.st_mode)) {
			TRY(dump_go_on(walk->d, note_name(walk, copy, named->d_name, name, &st)));
			continue;
		}
		below = openat(copy, named->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0)
			return fail_errno("opening %s/%s", walk->point, name);
		TRY(walk_directory(walk, below, name));
	}
	return 0;
}

static int walk_pins(struct pin_walk *walk, int root)
{
	int error = walk_directory(walk, root, ".");

	free(walk->seen);
	return error;
}

static int check_pins(const struct dump *d, int root, const char *point)
{
	struct pin_walk walk = { .d = d, .point = point };

	return walk_pins(&walk, root);
}

static int save_pins(struct dump *d, int root, const char *point, uint32_t dev)
{
	struct pin_walk walk = { .d = d, .names = state_get(d->states, &pins_dump_state), .point = point, .dev = dev };

	return walk_pins(&walk, root);
}

static int write_object(struct dump *d, struct image **image, const BpfObjectEntry *object)
{
	if (!*image)
		TRY(image_create(dump_store(d), image, IMAGE_BPF_OBJECTS));
	return image_write(*image, object);
}

int bpf_pins_write(struct dump *d)
{
	struct pins_dump *dump = state_get(d->states, &pins_dump_state);
	AUTO(image_close) struct image *image = NULL;
	size_t n;

	/* Each may turn up others: those in it. */
	for (size_t i = 0; (void)bpf_maps_noted(d, &n), i < n; i++)
		TRY(bpf_map_drain(d, bpf_maps_noted(d, &n)[i]->map_id));
	for (size_t i = 0; i < n; i++)
		TRY(write_object(d, &image,
				 &(BpfObjectEntry){ PROTOBUF_C_MESSAGE_INIT(&bpf_object_entry__descriptor),
						    .map = bpf_maps_noted(d, &n)[i] }));
	for (size_t i = 0; i < dump->names.n; i++)
		TRY(write_object(d, &image,
				 &(BpfObjectEntry){ PROTOBUF_C_MESSAGE_INIT(&bpf_object_entry__descriptor),
						    .name = dump->names.items[i] }));
	return image ? image_finish(&image) : 0;
}

/* --- restore --- */

struct pins_restore {
	VECTOR(BpfNameEntry *) names;
};

static void destroy_restore(void *state)
{
	struct pins_restore *pins = state;

	vector_done(&pins->names);
}

static const struct state_type pins_state = { sizeof(struct pins_restore), destroy_restore };

/* Nothing leads out of the file system. */
static bool is_name(const char *name)
{
	for (const char *p = name; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
		if (!*p || *p == '/' || !strncmp(p, "../", 3) || !strcmp(p, ".."))
			return false;
	return true;
}

static int check_name(struct image *image, const BpfNameEntry *entry)
{
	const bool kinds[] = { S_ISDIR(entry->mode), S_ISLNK(entry->mode) && entry->target,
			       S_ISREG(entry->mode) && (entry->first || entry->has_map_id) };

	if (!is_name(entry->name) || (entry->first && !is_name(entry->first)) || kinds[0] + kinds[1] + kinds[2] != 1)
		return image_refuse(image, "the name \"%s\" cannot be right", entry->name);
	return 0;
}

int bpf_pins_prepare(const struct restore *r)
{
	struct pins_restore *pins = state_get(r->states, &pins_state);
	AUTO(image_close) struct image *image = NULL;
	BpfObjectEntry *object;
	int more = image_open(r->store, &image, IMAGE_BPF_OBJECTS);

	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &object)) > 0) {
		if (object->map)
			TRY(bpf_map_load(r, object->map));
		if (!object->name)
			continue;
		TRY(check_name(image, object->name));
		*vector_push(&pins->names) = object->name;
	}
	return more;
}

/* Each step by itself: no link is followed. */
static int open_above(int root, const char *name, const char **ret_leaf)
{
	AUTO_FREE char *copy = xstrdup(name);
	AUTO_CLOSE int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *rest = copy, *slash;

	for (; dir >= 0 && (slash = strchr(rest, '/')); rest = slash + 1) {
		int below;

		*slash = 0;
		below = openat(dir, rest, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(dir);
		dir = below;
	}
	*ret_leaf = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	return dir < 0 ? fail_errno("opening the directory of %s", name) : TAKE_FD(dir);
}

static int pin_map(struct restore *r, uint32_t id, int dir, const char *leaf)
{
	char path[NAME_MAX + 40];
	union bpf_attr attr = { 0 };
	int fd;

	TRY(bpf_map_make(r, id, &fd));
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, leaf);
	attr.pathname = (uint64_t)(uintptr_t)path;
	attr.bpf_fd = (uint32_t)fd;
	return bpf_call(BPF_OBJ_PIN, &attr);
}

static int link_first(int root, const char *first, int dir, const char *leaf)
{
	const char *its;
	AUTO_CLOSE int above = open_above(root, first, &its);

	TRY(above);
	return linkat(above, its, dir, leaf, 0) < 0 ? -errno : 0;
}

static int make_name(struct restore *r, int root, int dir, const char *leaf, const BpfNameEntry *entry)
{
	if (entry->first)
		return link_first(root, entry->first, dir, leaf);
	if (entry->has_map_id)
		return pin_map(r, entry->map_id, dir, leaf);
	if (entry->target)
		return symlinkat(entry->target, dir, leaf) < 0 ? -errno : 0;
	return strcmp(entry->name, ".") != 0 && mkdirat(dir, leaf, 0700) < 0 ? -errno : 0;
}

static int restore_name(struct restore *r, int root, const BpfNameEntry *entry)
{
	const char *leaf;
	AUTO_CLOSE int dir = open_above(root, entry->name, &leaf);
	int error;

	TRY(dir);
	error = make_name(r, root, dir, leaf, entry);
	if (error < 0)
		return fail(-error, "making %s in the BPF file system", entry->name);
	if (fchownat(dir, leaf, restore_outer_uid(r, entry->uid), restore_outer_gid(r, entry->gid),
		     AT_SYMLINK_NOFOLLOW) < 0)
		return fail_errno("giving %s to user %u", entry->name, entry->uid);
	if (!entry->target && fchmodat(dir, leaf, entry->mode & 07777, 0) < 0)
		return fail_errno("setting the mode of %s", entry->name);
	return 0;
}

static int restore_pins(struct restore *r, int root, uint32_t dev)
{
	const struct pins_restore *pins = state_get(r->states, &pins_state);

	for (size_t i = 0; i < pins->names.n; i++)
		if (pins->names.items[i]->dev == dev)
			TRY(restore_name(r, root, pins->names.items[i]));
	return 0;
}

const struct mount_pins mount_pins = {
	.check = check_pins,
	.save = save_pins,
	.restore = restore_pins,
};
