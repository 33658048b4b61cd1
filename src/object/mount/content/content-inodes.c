/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inode numbers of a tmpfs: programs compare them (SQLite does before it writes). A tmpfs counts up from 1 (Linux 5.9),
 * so all nodes are made in the order of their numbers, in its root directory and with fillers for what is missing
 * between them; each gets its name later.
 */
#include "object/mount/content/content-inodes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/mount/content/libarchive.h"

#define FILLERS_MAX (1u << 20) /* some seconds */
#define FILLER	    ".criu-filler"

struct inode_node {
	uint64_t inode;
	mode_t type;
	dev_t rdev;
	const char *target; /* of a symbolic link */
};

uint64_t inodes_find(struct archive_entry *entry)
{
	const char *key;
	const void *value;
	size_t size;
	char text[24] = "";

	libarchive.archive_entry_xattr_reset(entry);
	while (libarchive.archive_entry_xattr_next(entry, &key, &value, &size) == ARCHIVE_OK)
		if (strcmp(key, INODE_KEY) == 0 && size < sizeof(text))
			memcpy(text, value, size);
	return strtoull(text, NULL, 10);
}

void inodes_add(struct inode_list *list, struct pool *pool, struct archive_entry *entry)
{
	uint64_t inode = libarchive.archive_entry_hardlink(entry) ? 0 : inodes_find(entry);
	const char *target = libarchive.archive_entry_symlink(entry);
	struct inode_node *node;

	if (!inode)
		return;
	node = pool_new(pool, struct inode_node);
	*node = (struct inode_node){ inode, libarchive.archive_entry_filetype(entry),
				     libarchive.archive_entry_rdev(entry), target ? pool_string(pool, target) : NULL };
	*vector_push(&list->nodes) = node;
}

static int compare_inodes(const void *a, const void *b)
{
	const struct inode_node *one = *(struct inode_node *const *)a, *other = *(struct inode_node *const *)b;

	return one->inode < other->inode ? -1 : one->inode > other->inode;
}

static void print_name(uint64_t inode, char to[INODE_NAME_SIZE])
{
	snprintf(to, INODE_NAME_SIZE, ".criu-inode-%llu", (unsigned long long)inode);
}

static int make_node(int root, const struct inode_node *node, const char *name)
{
	if (S_ISDIR(node->type))
		return mkdirat(root, name, 0700);
	if (S_ISLNK(node->type))
		return symlinkat(node->target ?: "", root, name);
	return mknodat(root, name, (node->type & S_IFMT) | 0600, node->rdev);
}

static int pass_over(int root, uint64_t n)
{
	for (; n > 0; n--)
		if (mknodat(root, FILLER, S_IFREG | 0600, 0) < 0 || unlinkat(root, FILLER, 0) < 0)
			return fail_errno("making a file for the moment (is there room enough?)");
	return 0;
}

/* The number that was given out last; 0: this file system does not count. */
static int find_last(int root, uint64_t *ret)
{
	struct stat first, second;

	*ret = 0;
	if (fstat(root, &second) < 0)
		return fail_errno("looking at its root");
	/* Nothing was made in it yet: a trial would take the number of its first file. */
	if (second.st_ino == 1) {
		*ret = 1;
		return 0;
	}
	for (unsigned i = 0; i < 2; i++) {
		first = second;
		if (mknodat(root, FILLER, S_IFREG | 0600, 0) < 0 ||
		    fstatat(root, FILLER, &second, AT_SYMLINK_NOFOLLOW) < 0 || unlinkat(root, FILLER, 0) < 0)
			return fail_errno("making a file for the moment (is there room enough?)");
	}
	if (second.st_ino == first.st_ino + 1)
		*ret = second.st_ino;
	return 0;
}

static bool has_number(int root, const char *name, uint64_t inode)
{
	struct stat st;

	return fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == inode;
}

int inodes_make(struct inode_list *list, int root)
{
	uint64_t last, fillers = 0;
	bool checked = false;

	if (!list->nodes.n)
		return 0;
	qsort(list->nodes.items, list->nodes.n, sizeof(*list->nodes.items), compare_inodes);
	TRY(find_last(root, &last));
	for (size_t i = 0; last && i < list->nodes.n; i++) {
		const struct inode_node *node = list->nodes.items[i];
		char name[INODE_NAME_SIZE];

		if (node->inode <= last)
			continue; /* the root, or one that the trial took */
		fillers += node->inode - last - 1;
		if (fillers > FILLERS_MAX)
			break;
		TRY(pass_over(root, node->inode - last - 1));
		print_name(node->inode, name);
		if (make_node(root, node, name) < 0)
			return fail_errno("making a file (is there room enough?)");
		last = checked || has_number(root, name, node->inode) ? node->inode : 0;
		checked = true;
	}
	if (!last || fillers > FILLERS_MAX)
		log_warn("files get other inode numbers than before, which some programs (SQLite) notice: %s",
			 last ? "there are too many numbers in between"
			      : "the file system does not give them in order");
	return 0;
}

int inodes_take(const struct inode_list *list, int root, struct archive_entry *entry, int dir, const char *leaf)
{
	uint64_t inode = list->nodes.n ? inodes_find(entry) : 0;
	char name[INODE_NAME_SIZE];

	if (!inode)
		return -ENOENT;
	print_name(inode, name);
	return renameat2(root, name, dir, leaf, RENAME_NOREPLACE) < 0 ? -errno : 0;
}
