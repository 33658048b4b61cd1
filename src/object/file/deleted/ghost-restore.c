/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deleted files, restore. The file is made under its old name if that is free (then /proc shows the same as before),
 * filled, kept by an O_PATH descriptor and removed again at once: whoever needs it opens it through that descriptor.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/vector.h"
#include "image/image.h"
#include "object/file/deleted/deleted.h"
#include "object/mount/mount.h"
#include "session/ids.h"

#define BLOCK_SIZE (1u << 20)

/* Directories made only to hold the file for a moment. */
struct scaffold {
	VECTOR(char *) directories;
	int root; /* that the names begin in, -1: ours */
};

/* A file that was mounted itself has no directory in its mount: its name is that of its place then. */
static void find_place(const struct restore *r, const RegFileEntry *record, struct mount_place *ret)
{
	regular_place(r, record, ret);
	if (!*ret->path)
		*ret = (struct mount_place){ regular_root(r, record), record->name, false };
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* What is a directory in the name may be something else by now: then into the last directory that is one. */
static void print_name(const char *name, char *to, size_t capacity)
{
	snprintf(to, capacity, "%s", name);
	for (char *slash = strchr(to + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (access(to, F_OK) == 0 && !is_directory(to)) {
			char *last = strrchr(to, '/') + 1;

			snprintf(last, capacity - (size_t)(last - to), "%s", strrchr(name, '/') + 1);
			return;
		}
		*slash = '/';
	}
}

static int make_parents(struct scaffold *scaffold, const char *name)
{
	char path[PATH_MAX];

	if (strlen(name) >= sizeof(path))
		return fail(ENAMETOOLONG, "%s", name);
	strcpy(path, name);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(path, 0700) == 0)
			*vector_push(&scaffold->directories) = xstrdup(path);
		else if (errno != EEXIST)
			return fail_errno("making directory %s for a moment", path);
		*slash = '/';
	}
	return 0;
}

static int prepare_place(struct scaffold *scaffold, const char *name, char *wanted, size_t capacity)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	TRY(mount_stay_begin(scaffold->root, &stay));
	print_name(name, wanted, capacity);
	return make_parents(scaffold, wanted);
}

static void remove_parents(struct scaffold *scaffold)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	if (scaffold->directories.n)
		(void)mount_stay_begin(scaffold->root, &stay); /* logged; then there is nothing by those names */
	while (scaffold->directories.n) {
		char *path = scaffold->directories.items[--scaffold->directories.n];

		if (rmdir(path) < 0)
			log_warn("directory %s was made for a moment and could not be removed: %s", path,
				 strerror(errno));
		free(path);
	}
	vector_done(&scaffold->directories);
}

static int copy_bytes(struct image *image, int fd, uint64_t at, uint64_t size)
{
	AUTO_FREE char *block = xmalloc(BLOCK_SIZE);

	while (size) {
		size_t now = size < BLOCK_SIZE ? (size_t)size : BLOCK_SIZE;
		ssize_t got = image_read_some(image, block, now);
		int put;

		if (got <= 0)
			return got < 0 ? (int)got : 0;
		put = io_pwrite(fd, block, (size_t)got, (off_t)at);
		if (put < 0)
			return fail(-put, "writing its content");
		at += (uint64_t)got;
		size -= (uint64_t)got;
	}
	return 0;
}

static int fill_chunks(struct image *image, const GhostFileEntry *entry, int fd)
{
	GhostChunkEntry *chunk;
	int more;

	while ((more = image_read(image, &chunk)) > 0)
		TRY(copy_bytes(image, fd, chunk->off, chunk->len));
	TRY(more);
	if (ftruncate(fd, (off_t)entry->size) < 0)
		return fail_errno("setting its size to %llu", (unsigned long long)entry->size);
	return 0;
}

static int fill(struct image *image, const GhostFileEntry *entry, int base)
{
	AUTO_CLOSE int fd = -1;
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", base);
	fd = open(name, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("opening it to fill it");
	if (entry->has_chunks && entry->chunks)
		return fill_chunks(image, entry, fd);
	return copy_bytes(image, fd, 0, UINT64_MAX);
}

/* What a descriptor with O_PATH can't do is done through its link in /proc. */
static int set_attributes(const struct restore *r, const GhostFileEntry *entry, int base)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", base);
	if (fchownat(base, "", restore_outer_uid(r, entry->uid), restore_outer_gid(r, entry->gid), AT_EMPTY_PATH) < 0)
		return fail_errno("giving it to user %u and group %u", entry->uid, entry->gid);
	if (S_ISLNK(entry->mode))
		return 0;
	if (chmod(name, entry->mode & 07777) < 0)
		return fail_errno("setting its mode 0%o", entry->mode);
	if (entry->atim && entry->mtim) {
		struct timespec times[] = { { (time_t)entry->atim->tv_sec, (long)entry->atim->tv_usec * 1000 },
					    { (time_t)entry->mtim->tv_sec, (long)entry->mtim->tv_usec * 1000 } };

		if (utimensat(AT_FDCWD, name, times, 0) < 0)
			return fail_errno("setting its times");
	}
	return 0;
}

static int make_node(const GhostFileEntry *entry, const char *name)
{
	if (S_ISDIR(entry->mode))
		return mkdir(name, 0700);
	if (S_ISLNK(entry->mode))
		return symlink(entry->symlnk_target ? entry->symlnk_target : "", name);
	return mknod(name, (entry->mode & S_IFMT) | 0600, entry->has_rdev ? entry->rdev : 0);
}

/* Under its own name, or another one in the same directory when that is taken. */
static int make_named(int root, const GhostFileEntry *entry, uint32_t id, const char *wanted, char *name,
		      size_t capacity)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	TRY(mount_stay_begin(root, &stay));
	snprintf(name, capacity, "%s", wanted);
	for (unsigned i = 0; i < 100; i++) {
		if (make_node(entry, name) == 0)
			return 0;
		if (errno != EEXIST)
			return fail_errno("making %s for a moment", name);
		if (snprintf(name, capacity, "%s.ghost-%x-%u", wanted, id, i) >= (int)capacity)
			return fail(ENAMETOOLONG, "%s", wanted);
	}
	return refuse(EEXIST, "no name beside it is free");
}

static int remove_node(int root, const GhostFileEntry *entry, const char *name)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	TRY(mount_stay_begin(root, &stay));
	if ((S_ISDIR(entry->mode) ? rmdir(name) : unlink(name)) < 0)
		return fail_errno("removing %s, which was made for a moment", name);
	return 0;
}

/* The other names that the file was opened by: each is a link that lives for a moment. */
static int open_other_name(const struct restore *r, int root, struct remap *remap, const char *made)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct mount_place place;
	const char *name;
	bool linked;

	find_place(r, remap->record, &place);
	name = place.path;
	TRY(mount_stay_begin(root, &stay));
	linked = strcmp(name, made) != 0 && linkat(AT_FDCWD, made, AT_FDCWD, name, 0) == 0;
	remap->fd = open(linked ? name : made, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (remap->fd < 0)
		return fail_errno("opening %s", linked ? name : made);
	if (linked && unlink(name) < 0)
		return fail_errno("removing %s", name);
	return 0;
}

static bool is_on_same_mount(const struct remap *one, const struct remap *other)
{
	return one->record->has_mnt_id == other->record->has_mnt_id && one->record->mnt_id == other->record->mnt_id;
}

static int open_all(struct restore *r, struct ghost *ghost, const GhostFileEntry *entry, struct image *image,
		    const char *made, int root)
{
	for (struct remap *remap = ghost->users; remap; remap = remap->same) {
		if (is_on_same_mount(remap, ghost->users))
			TRY(open_other_name(r, root, remap, made));
		else
			TRY(deleted_open_on_other_mount(r, ghost->users->record, made, root, remap));
	}
	if (S_ISREG(entry->mode))
		TRY(fill(image, entry, ghost->users->fd));
	return set_attributes(r, entry, ghost->users->fd);
}

/*
 * A file that never had a name may get one later by linkat(2). Only O_TMPFILE makes such, and only the opening that
 * made it shows the flag: it is the one of this record.
 */
static int open_nameless(const struct restore *r, struct remap *maker, int root)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	struct mount_place place;
	char directory[PATH_MAX];

	find_place(r, maker->record, &place);
	TRY(mount_stay_begin(root, &stay));
	snprintf(directory, sizeof(directory), "%s", place.path);
	*strrchr(directory, '/') = 0;
	maker->opened = open(directory[0] ? directory : "/",
			     O_TMPFILE | (int)(maker->record->flags & O_ACCMODE) | O_CLOEXEC, 0600);
	return maker->opened < 0 ? fail_errno("making a file without a name in %s", directory) : 0;
}

static int create_nameless(struct restore *r, struct ghost *ghost, struct remap *maker, const GhostFileEntry *entry,
			   struct image *image, int root)
{
	char name[32];

	TRY(open_nameless(r, maker, root));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", maker->opened);
	for (struct remap *remap = ghost->users; remap; remap = remap->same) {
		remap->fd = open(name, O_PATH | O_CLOEXEC);
		if (remap->fd < 0)
			return fail_errno("opening %s", name);
	}
	TRY(fill(image, entry, ghost->users->fd));
	return set_attributes(r, entry, ghost->users->fd);
}

static struct remap *find_maker(const struct ghost *ghost, const GhostFileEntry *entry)
{
	for (struct remap *remap = ghost->users; remap && S_ISREG(entry->mode); remap = remap->same)
		if ((remap->record->flags & O_TMPFILE) == O_TMPFILE)
			return remap;
	return NULL;
}

int ghost_create(struct restore *r, struct ghost *ghost)
{
	AUTO(image_close) struct image *image = NULL;
	AUTO(remove_parents) struct scaffold scaffold = { 0 };
	struct mount_place place;
	struct remap *maker;
	GhostFileEntry *entry;
	char made[PATH_MAX], wanted[PATH_MAX];
	int more = image_open(r->store, &image, IMAGE_GHOST_FILE, ghost->id), result, root;

	if (more == -ENOENT)
		return refuse(ENOENT, "ghost-file-%x.img, which holds its content, is missing", ghost->id);
	TRY(more);
	more = image_read(image, &entry);
	if (more <= 0)
		return more < 0 ? more : image_refuse(image, "it is empty");
	find_place(r, ghost->users->record, &place);
	scaffold.root = root = place.root;
	TRY(prepare_place(&scaffold, place.path, wanted, sizeof(wanted)));
	maker = find_maker(ghost, entry);
	if (maker)
		return create_nameless(r, ghost, maker, entry, image, root);
	TRY(make_named(root, entry, ghost->id, wanted, made, sizeof(made)));
	result = open_all(r, ghost, entry, image, made, root);
	more = remove_node(root, entry, made);
	return result < 0 ? result : more;
}
