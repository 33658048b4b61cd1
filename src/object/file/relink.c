/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that lost the name they were opened by but have others: the dump makes one more beside it (--link-remap). */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/file/core.h"
#include "object/file/deleted.h"

#define LINKS_MAX 1000

/* Into the directory of the name or the nearest one above that is there. */
static int print_place(const char *name, uint32_t id, char *to, size_t room)
{
	size_t length = strlen(name);

	if (length >= room)
		return fail(ENAMETOOLONG, "making a name for it");
	memcpy(to, name, length + 1);
	for (;;) {
		char *slash = strrchr(to, '/');

		if (!slash || slash == to) {
			snprintf(to, room, "/link_remap.%u", id);
			return 0;
		}
		*slash = 0;
		if (access(to, F_OK) == 0) {
			snprintf(slash, room - (size_t)(slash - to), "/link_remap.%u", id);
			return 0;
		}
	}
}

/* The name may be that of another checkpoint, which needs it: then a number is added. */
static int make_link(int fd, char place[PATH_MAX])
{
	size_t length = strlen(place);
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	for (unsigned i = 1; linkat(AT_FDCWD, self, AT_FDCWD, place, AT_SYMLINK_FOLLOW) < 0; i++) {
		if (errno != EEXIST || i == LINKS_MAX)
			return fail_errno("giving it the name %s", place);
		snprintf(place + length, PATH_MAX - length, ".%u", i);
	}
	return 0;
}

int relink_dump(struct dump *d, const struct open_file *of, const char *name, uint32_t *ret_id)
{
	FileEntry *entry = file_add_entry(d, FD_TYPES__REG, offsetof(FileEntry, reg));
	char place[PATH_MAX];

	TRY(print_place(name, entry->id, place, sizeof(place)));
	TRY(make_link(of->fd, place));
	*vector_push(&d->files->links) = entry->reg->name = pool_string(d->pool, place);
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
	for (size_t i = 0; i < d->files->links.n; i++)
		if (unlink(d->files->links.items[i]) < 0)
			log_warn("%s was made for the dump and could not be removed: %s", d->files->links.items[i],
				 strerror(errno));
	d->files->links.n = 0;
}

/* --- restore --- */

int relink_find(struct restore *r, struct remap *remap)
{
	const RegFileEntry *link;
	const char *name = remap->record->name;
	bool named;

	TRY(regular_find_record(r, remap->id, &link));
	/* Opened by the old name, it shows that name in /proc again. */
	named = linkat(AT_FDCWD, link->name, AT_FDCWD, name, 0) == 0;
	remap->fd = open(named ? name : link->name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (named && unlink(name) < 0)
		return fail_errno("removing %s", name);
	return remap->fd < 0 ? fail_errno("opening %s, the name that the dump gave it", link->name) : 0;
}

void relink_remove(struct restore *r, const struct remap *remap)
{
	const RegFileEntry *link;

	if (regular_find_record(r, remap->id, &link) == 0 && unlink(link->name) < 0 && errno != ENOENT)
		log_warn("%s was made by the dump and could not be removed: %s", link->name, strerror(errno));
}
