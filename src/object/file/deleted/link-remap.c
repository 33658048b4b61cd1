/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that lost the name they were opened by but have others: the dump makes one more beside it (--link-remap). */
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/file/core.h"
#include "object/file/deleted/deleted.h"
#include "object/mount/mount.h"

#define LINKS_MAX 1000

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/* Into the directory of the name or the nearest one above that is there. */
static int print_place(const char *name, uint32_t id, char *to, size_t capacity)
{
	size_t length = strlen(name);

	if (length >= capacity)
		return fail(ENAMETOOLONG, "making a name for it");
	memcpy(to, name, length + 1);
	for (;;) {
		char *slash = strrchr(to, '/');

		if (!slash || slash == to) {
			snprintf(to, capacity, "/link_remap.%u", id);
			return 0;
		}
		*slash = 0;
		if (access(to, F_OK) == 0) {
			snprintf(slash, capacity - (size_t)(slash - to), "/link_remap.%u", id);
			return 0;
		}
	}
}

/* Through /proc/self/fd it takes no capability; but that is not there in other namespaces. */
static int link_to(int fd, const char *self, bool elsewhere, const char *place)
{
	if (elsewhere)
		return linkat(fd, "", AT_FDCWD, place, AT_EMPTY_PATH);
	return linkat(AT_FDCWD, self, AT_FDCWD, place, AT_SYMLINK_FOLLOW);
}

/* The name may be that of another checkpoint, which needs it: then a number is added. */
static int make_link(int fd, bool elsewhere, char place[PATH_MAX])
{
	size_t length = strlen(place);
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	for (unsigned i = 1; link_to(fd, self, elsewhere, place) < 0; i++) {
		if (errno != EEXIST || i == LINKS_MAX)
			return fail_errno("giving it the name %s", place);
		snprintf(place + length, PATH_MAX - length, ".%u", i);
	}
	return 0;
}

/*
 * Most file systems count names, so that only what has one more comes here. Of a file of the lower layer overlayfs
 * counts the names there, which it does not lose when it is removed from the overlay; FUSE and 9p tell what their
 * server says. linkat(2) knows: it brings nobody back who has no name left.
 */
bool relink_is_nameless(struct dump *d, const struct open_file *of, const char *name)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	int root = mount_dump_root_of(d, of->task, of->mnt_id);
	char place[PATH_MAX], self[32];

	if (of->fs_magic != OVERLAYFS_SUPER_MAGIC && of->fs_magic != FUSE_SUPER_MAGIC && of->fs_magic != V9FS_MAGIC)
		return false;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", of->fd);
	if (mount_stay_begin(root, &stay) < 0 || print_place(name, 0, place, sizeof(place)) < 0)
		return false;
	if (link_to(of->fd, self, root >= 0, place) < 0)
		return errno == ENOENT;
	if (unlink(place) < 0)
		log_warn("%s was made for a moment and could not be removed: %s", place, strerror(errno));
	return false;
}

int relink_dump(struct dump *d, const struct open_file *of, const char *name, uint32_t *ret_id)
{
	FileEntry *entry = file_add_entry(d, FD_TYPES__REG, offsetof(FileEntry, reg));
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	int root = mount_dump_root_of(d, of->task, of->mnt_id);
	char place[PATH_MAX];

	TRY(mount_stay_begin(root, &stay));
	TRY(print_place(name, entry->id, place, sizeof(place)));
	TRY(make_link(of->fd, root >= 0, place));
	entry->reg->name = pool_string(d->pool, place);
	*vector_push(&d->files->links) = (struct made_link){ entry->reg->name, root };
	entry->reg->has_mnt_id = mount_dump_id(d, of->mnt_id) > 0;
	entry->reg->mnt_id = entry->reg->has_mnt_id ? of->mnt_id : -1;
	entry->reg->id = entry->id;
	entry->reg->flags = of->flags & O_ACCMODE;
	entry->reg->fown = of->owner;
	entry->reg->has_mode = true;
	entry->reg->mode = of->stat.st_mode;
	if (S_ISREG(of->stat.st_mode)) {
		entry->reg->has_size = true;
		entry->reg->size = (uint64_t)of->stat.st_size;
	}
	*ret_id = entry->id;
	return 0;
}

void relink_undo(struct dump *d)
{
	for (size_t i = 0; i < d->files->links.n; i++) {
		AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
		const struct made_link *made = &d->files->links.items[i];

		if (mount_stay_begin(made->root, &stay) < 0 || unlink(made->name) < 0)
			log_warn("%s was made for the dump and could not be removed: %s", made->name, strerror(errno));
	}
	d->files->links.n = 0;
}

/* --- restore --- */

static int find_by_name(int root, const char *link, const char *name, struct remap *remap)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	bool named;

	TRY(mount_stay_begin(root, &stay));
	/* Opened by the old name, it shows that name in /proc again. */
	named = linkat(AT_FDCWD, link, AT_FDCWD, name, 0) == 0;
	remap->fd = open(named ? name : link, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (named && unlink(name) < 0)
		return fail_errno("removing %s", name);
	return remap->fd < 0 ? fail_errno("opening %s, the name that the dump gave it", link) : 0;
}

int relink_find(struct restore *r, struct remap *remap)
{
	struct mount_place place, old;
	const RegFileEntry *link;

	TRY(regular_find_record(r, remap->id, &link));
	regular_place(r, link, &place);
	regular_place(r, remap->record, &old);
	if (place.root != old.root)
		return deleted_open_on_other_mount(r, link, place.path, place.root, remap);
	return find_by_name(place.root, place.path, old.path, remap);
}

void relink_remove(struct restore *r, const struct remap *remap)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	const RegFileEntry *link;
	struct mount_place place;

	if (regular_find_record(r, remap->id, &link) < 0)
		return; /* logged */
	regular_place(r, link, &place);
	if (mount_stay_begin(place.root, &stay) < 0)
		return;
	if (unlink(place.path) < 0 && errno != ENOENT)
		log_warn("%s was made by the dump and could not be removed: %s", link->name, strerror(errno));
}
