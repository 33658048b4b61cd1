/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that lost the name they were opened by but have others. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct dump;
struct file_dump;
struct open_file;
struct remap;
struct restore;

/* Dump: a name for a file that has others elsewhere. Tells the id of its entry. */
int relink_dump(struct dump *d, const struct open_file *of, const char *name, uint32_t *ret_id);
/* Dump: the file is counted to have names, but has none left. */
bool relink_is_nameless(const struct dump *d, const struct open_file *of, const char *name);
/* Removes the names made, after a failure. */
void relink_undo(struct dump *d);
void relink_done(struct file_dump *files);
/* Restore: a descriptor of the file, under its old name if that is free. */
int relink_find(struct restore *r, struct remap *remap);
/* Restore: it went well, the name is not needed any more. */
void relink_remove(struct restore *r, const struct remap *remap);
