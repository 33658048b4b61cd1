/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far a program has come in reading a directory. The position is a number that means something to one file system
 * only, and in memory to one run of it: in a tmpfs that is filled again, or in a copy on another disk, other names may
 * follow. So the names that were still to come are remembered, by a hash.
 */
#include "object/file/regular/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/vector.h"

/* linux/magic.h of later kernels; fs/xfs/libxfs/xfs_format.h */
#define XFS_MAGIC 0x58465342

struct listing {
	uint64_t all; /* of all names */
	VECTOR(struct {
		uint64_t name;
		off_t after; /* the position behind it */
	})
	names;
};

bool place_is_worth_a_look(const struct open_file *of)
{
	if (!S_ISDIR(of->stat.st_mode) || of->pos == 0 || of->flags & O_PATH)
		return false;
	switch (of->fs_magic) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case HUGETLBFS_MAGIC:
	case EXT4_SUPER_MAGIC:
	case XFS_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
		return true;
	default: /* one that lists tasks, one that a task of the tree serves, one of the network */
		return false;
	}
}

/* FNV-1a */
static uint64_t hash_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
	return hash;
}

/* Sockets come when the rest is there, and the names of --link-remap are gone by then. */
static bool is_counted(const struct dirent64 *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && entry->d_type != DT_SOCK &&
	       strncmp(entry->d_name, "link_remap.", 11) != 0;
}

/* From this position to the end. */
static int list_names(int dir, off_t position, struct listing *ret)
{
	/* A position of its own. */
	AUTO_CLOSE int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(struct dirent64) char buffer[32768];
	ssize_t size;

	*ret = (struct listing){ 0 };
	if (own < 0 || (position && lseek(own, position, SEEK_SET) < 0))
		return -errno;
	while ((size = getdents64(own, buffer, sizeof(buffer))) > 0)
		for (const char *at = buffer; at < buffer + size; at += ((const struct dirent64 *)at)->d_reclen) {
			const struct dirent64 *entry = (const struct dirent64 *)at;
			uint64_t hash = is_counted(entry) ? hash_name(entry->d_name) : 0;

			ret->all ^= hash;
			*vector_push(&ret->names) = (typeof(*ret->names.items)){ hash, entry->d_off };
		}
	return size < 0 ? -errno : 0;
}

int place_read(int dir, off_t position, uint64_t *ret_ahead)
{
	struct listing ahead;
	int error = list_names(dir, position, &ahead);

	*ret_ahead = ahead.all;
	vector_done(&ahead.names);
	return error < 0 ? fail(-error, "looking what is left to be read of a directory") : 0;
}

/* Where just these names follow; -ENOENT: nowhere. */
static off_t find_place(int dir, off_t position, uint64_t ahead)
{
	struct listing listing;
	int error = list_names(dir, position, &listing);
	off_t found = -ENOENT;

	if (error == 0 && listing.all == ahead)
		found = position;
	vector_done(&listing.names);
	if (error < 0 || found >= 0)
		return found;
	error = list_names(dir, 0, &listing);
	if (error == 0 && listing.all == ahead)
		found = 0;
	for (size_t i = 0; error == 0 && found < 0 && i < listing.names.n; i++) {
		listing.all ^= listing.names.items[i].name;
		if (listing.all == ahead)
			found = listing.names.items[i].after;
	}
	vector_done(&listing.names);
	return found;
}

void place_find(int dir, off_t position, uint64_t ahead)
{
	off_t found = find_place(dir, position, ahead);

	if (found < 0)
		log_warn("the directory has other files than at the dump, or lists them in another order: who was "
			 "reading "
			 "it may see some of them twice, and others not");
	else if (found != position && lseek(dir, found, SEEK_SET) < 0)
		log_warn("cannot move to the place up to which the directory was read");
}
