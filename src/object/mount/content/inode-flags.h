/* SPDX-License-Identifier: GPL-2.0-only */
/* What chattr(1) has set on files of a tmpfs. */
#pragma once

struct archive_entry;
struct mount;
struct restore;

/* Dump: fd is a regular file or directory. */
void inode_flags_save(struct archive_entry *entry, int fd);
/* Restore: it is noted, root is where the names of the archive begin; */
int inode_flags_note(const struct restore *r, const struct mount *mount, int root, struct archive_entry *entry);
/* and set when all files are open. */
int inode_flags_settle(const struct restore *r);
