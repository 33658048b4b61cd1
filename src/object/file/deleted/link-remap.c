/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that lost the name they were opened by but have others: the dump makes one more beside it (--link-remap). */
#include "object/file/deleted/link-remap.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/apart.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "image/store.h"
#include "object/file/file-state.h"
#include "object/file/deleted/deleted.h"
#include "object/file/deleted/name.h"
#include "object/file/deleted/other-mount.h"
#include "object/file/file-dump.h"
#include "object/file/regular/open.h"
#include "object/file/regular/regular.h"
#include "object/mount/mount.h"

#define LINKS_MAX 1000

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

/* Names of links that were made by earlier dumps. */
static bool is_link_to(const struct held_name *name, int fd)
{
	AUTO_CLOSE int found = -1;

	return held_name_find(name, fd, &found) == 0;
}

/*
 * Into the directory of the name or the nearest one above that is there. A link that is there already is perhaps that
 * of another checkpoint, which needs it: so the second choice has the number of our own directory in it. What an
 * earlier dump into the same one has left is taken again: no other checkpoint has that name.
 */
static int make_link(struct dump *d, int fd, uint32_t id, struct held_name *name, bool *ret_reused)
{
	int images = store_get_dir(dump_store(d)), error;
	struct stat st = { 0 };
	char base[64];

	if (images >= 0 && fstat(images, &st) < 0)
		return fail_errno("looking at the directory of images");
	*ret_reused = false;
	snprintf(base, sizeof(base), "link_remap.%u", id);
	TRY(held_name_change(name, base));
	error = held_name_link(name, fd);
	for (unsigned i = 0; error == -EEXIST && i < LINKS_MAX; i++) {
		snprintf(base, sizeof(base), i ? "link_remap.%u.%llx.%u" : "link_remap.%u.%llx", id,
			 (unsigned long long)st.st_ino, i);
		TRY(held_name_change(name, base));
		*ret_reused = images >= 0 && is_link_to(name, fd);
		error = *ret_reused ? 0 : held_name_link(name, fd);
	}
	return error < 0 ? fail(-error, "giving it the name %s", name->path) : 0;
}

/*
 * Most file systems count names, so that only what has one more comes here. Of a file of the lower layer overlayfs
 * counts the names there, which it does not lose when it is removed from the overlay; FUSE and 9p tell what their
 * server says. linkat(2) knows: it brings nobody back who has no name left.
 */
bool relink_is_nameless(const struct dump *d, const struct open_file *of, const char *name)
{
	AUTO(held_name_close) struct held_name probe = HELD_NAME_NONE;
	int error;

	if (of->fs_magic != OVERLAYFS_SUPER_MAGIC && of->fs_magic != FUSE_SUPER_MAGIC && of->fs_magic != V9FS_MAGIC)
		return false;
	if (held_name_open(mount_dump_root_of(d, of->task, of->mnt_id), name, HELD_NEAREST, &probe) < 0 ||
	    held_name_change(&probe, ".criu-link-probe") < 0)
		return false;
	error = held_name_link(&probe, of->fd);
	if (error == 0)
		held_name_remove(&probe, of->fd);
	return error == -ENOENT;
}

int relink_dump(struct dump *d, const struct open_file *of, const char *name, uint32_t *ret_id)
{
	FileEntry *entry = file_add_entry(d, FD_TYPES__REG, offsetof(FileEntry, reg));
	AUTO(held_name_close) struct held_name place = HELD_NAME_NONE;
	int root = mount_dump_root_of(d, of->task, of->mnt_id);
	bool reused;

	TRY(held_name_open(root, name, HELD_NEAREST, &place));
	TRY(make_link(d, of->fd, entry->id, &place, &reused));
	entry->reg->name = pool_string(d->pool, place.path);
	if (!reused)
		*vector_push(&file_dump_of(d)->links) =
			(struct made_link){ entry->reg->name, root, fcntl(of->fd, F_DUPFD_CLOEXEC, 3) };
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
	for (size_t i = 0; i < file_dump_of(d)->links.n; i++) {
		AUTO(held_name_close) struct held_name name = HELD_NAME_NONE;
		const struct made_link *made = &file_dump_of(d)->links.items[i];

		if (held_name_open(made->root, made->name, HELD_AS_IT_IS, &name) == 0)
			held_name_remove(&name, made->fd);
	}
}

void relink_done(struct file_dump *files)
{
	for (size_t i = 0; i < files->links.n; i++)
		if (files->links.items[i].fd >= 0)
			close(files->links.items[i].fd);
	vector_done(&files->links);
}

/* --- restore --- */

/* What the dump has made lies in a directory that its owner may have changed since. */
static int open_link(int root, const char *link, struct held_name *name, int *ret_fd)
{
	int error = held_name_open(root, link, HELD_AS_IT_IS, name);

	if (error == -ENOENT)
		return fail(ENOENT, "opening %s, the name that the dump gave it", link);
	TRY(error);
	*ret_fd = openat(name->dir, held_name_base(name), O_PATH | O_CLOEXEC | O_NOFOLLOW);
	return *ret_fd < 0 ? fail_errno("opening %s, the name that the dump gave it", link) : 0;
}

struct finding_link {
	struct restore *r;
	struct remap *remap;
};

static int find_link(void *arg)
{
	struct restore *r = ((const struct finding_link *)arg)->r;
	struct remap *remap = ((const struct finding_link *)arg)->remap;
	AUTO(held_name_close) struct held_name name = HELD_NAME_NONE, old = HELD_NAME_NONE;
	struct mount_place place, old_place;
	const RegFileEntry *link;
	AUTO_CLOSE int file = -1;

	TRY(regular_find_record(r, remap->id, &link));
	regular_place(r, link, &place);
	regular_place(r, remap->record, &old_place);
	TRY(open_link(place.root, place.path, &name, &file));
	if (place.root != old_place.root)
		return deleted_open_on_other_mount(r, link, place.path, file, remap);
	/* Opened by the old name, it shows that name in /proc again. */
	if (held_name_open(old_place.root, old_place.path, HELD_AS_IT_IS, &old) == 0 &&
	    held_name_link(&old, file) == 0) {
		if (held_name_find(&old, file, &remap->fd) < 0)
			remap->fd = -1;
		held_name_remove(&old, file);
	}
	if (remap->fd < 0)
		remap->fd = TAKE_FD(file);
	return 0;
}

/* The old name lives for a moment: if criu is killed in between, it must not stay. */
int relink_find(struct restore *r, struct remap *remap)
{
	return apart_run(find_link, &(struct finding_link){ r, remap });
}

void relink_remove(struct restore *r, const struct remap *remap)
{
	AUTO(held_name_close) struct held_name name = HELD_NAME_NONE;
	const RegFileEntry *link;
	struct mount_place place;

	if (remap->fd < 0 || regular_find_record(r, remap->id, &link) < 0)
		return; /* logged */
	regular_place(r, link, &place);
	if (held_name_open(place.root, place.path, HELD_AS_IT_IS, &name) == 0 &&
	    faccessat(name.dir, held_name_base(&name), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		held_name_remove(&name, remap->fd);
}
