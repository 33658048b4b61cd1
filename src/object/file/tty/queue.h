/* SPDX-License-Identifier: GPL-2.0-only */
/* What waits inside a pty. */
#pragma once

#include <stddef.h>

struct dump;
struct image;
struct tty_dump;

/* What waits in both queues of a pty into the image; it is read and put back. slave may be NULL. */
int tty_dump_queues(struct dump *d, const struct tty_dump *master, const struct tty_dump *slave, struct image *image);
/* Restore: puts bytes into the queue that the master reads, or the one that the slave reads. */
int tty_fill_master(int master, int slave, const void *data, size_t size);
int tty_fill_slave(int master, int slave, const void *data, size_t size);
