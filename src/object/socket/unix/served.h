/* SPDX-License-Identifier: GPL-2.0-only */
/* Dump: messages that nobody has read, with open files of a FUSE file system that is served in the tree. */
#pragma once

struct dump;

/* Refuses them in the queue of this socket, a descriptor of ours. */
int unix_check_served(const struct dump *d, int fd);
