/* SPDX-License-Identifier: GPL-2.0-only */
/* Inode numbers of a tmpfs. */
#pragma once

#include <stdint.h>

#include "base/vector.h"

struct archive_entry;
struct inode_node;
struct pool;

/* An extended attribute in archives, of no file: its inode number. */
#define INODE_KEY	"criu.inode"
#define INODE_NAME_SIZE 40
struct inode_list {
	VECTOR(struct inode_node *) nodes;
};

/* 0: the archive does not tell. */
uint64_t inodes_find(struct archive_entry *entry);
void inodes_add(struct inode_list *list, struct pool *pool, struct archive_entry *entry);
/* Makes all nodes under names of ours. */
int inodes_make(struct inode_list *list, int root);
/* Gives it its name. -ENOENT, unlogged: it was not made. */
int inodes_take(const struct inode_list *list, int root, struct archive_entry *entry, int dir, const char *leaf);
