/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump: what is known of an open file beside the copy itself. */
#pragma once

#include <stdbool.h>

struct dump;
struct fdinfo;
struct file_dump;
struct open_file;
struct stat;

/* The devices of file systems that are the kernel's own. */
void file_learn_devices(struct file_dump *files);
/* All that a dump wants of it was told with the others (of->facts): a pipe with nothing in it, or its end for writing.
 */
bool file_needs_no_copy(const struct dump *d, const struct open_file *of);
/* Collects what is known about of->task_fd (or of->fd, if that is a descriptor of ours). info reads the fdinfo of the
   process that has the number; of->fdinfo points to it. */
int file_describe(const struct dump *d, struct open_file *of, struct fdinfo *info);
/* The same for a descriptor of our own. */
int file_describe_own(const struct dump *d, struct open_file *of, struct fdinfo *info);
/* fstat(2); where the tree serves file systems by FUSE, what the kernel knows. */
int file_look(const struct dump *d, int fd, struct stat *ret);
/* Reads of->fdinfo again, after something was done to the file. */
int file_read_again(const struct dump *d, const struct open_file *of);
/* of->fs_magic and of->domain, when of->stat is known. */
int file_read_system(const struct dump *d, struct open_file *of);
