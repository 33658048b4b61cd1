/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptor tables of tasks, dump: fdinfo-*.img. */
#pragma once

#include <stdint.h>

struct dump;
struct task;

/* All descriptor tables of the tree. */
int file_dump_tables(const struct dump *d);
/* Dump: the id of a descriptor of a task, 0 if it is not (yet) known. */
uint32_t file_find_dumped(struct dump *d, struct task *task, int fd);

/* fdinfo-*.img. */
int file_write_tables(struct dump *d);
