/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump of open files: what kind is it, was it seen before, its entry in files.img. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct dump;
struct dumped;
struct open_file;

int file_dump_begin(struct dump *d);
int file_dump_collect(const struct dump *d);
/* The id in files.img of an open file; dumps it if it is new. For descriptors, mappings, exe, cwd, root. of->id is set.
 */
int file_dump(struct dump *d, struct open_file *of);
/* This descriptor of ours is closed at the end of the dump. */
void file_dump_keep(const struct dump *d, int fd);
int file_dump_finish(const struct dump *d); /* what kinds keep to the end */
int file_dump_write(struct dump *d);	    /* files.img */
void file_dump_end(struct dump *d);	    /* after a failure, names that were made go */

/* NULL before dump/begin. */
struct file_dump *file_dump_of(const struct dump *d);

/* The id of a file of the tree with a path that is this inode, 0 if there is none. All must have been dumped. */
uint32_t file_find_inode(const struct dump *d, dev_t dev, ino_t ino);
/* As file_dump(), and what it was found to be. Returns 1 if it was not seen before, else 0. */
int file_dump_known(const struct dump *d, struct open_file *of, struct dumped **ret);
/* It was not: of->link may be NULL. */
int file_dump_new(const struct dump *d, struct open_file *of, struct dumped *dumped);

/* The record of an entry, found by the offset of the member. */
const ProtobufCMessageDescriptor *file_member_type(size_t member);
