/* SPDX-License-Identifier: GPL-2.0-only */
/* Pairs of unix sockets that the task itself can make. */
#pragma once

#include "object/file/file.h"

struct restore;

bool unix_twins(struct restore *r, struct file *f, struct file_twins *ret);
/* Asks a fresh socket of the namespace for its buffers: unix_set.buffers. fd: one, or -1. False: they are not known. */
bool unix_learn_buffers(struct restore *r, uint32_t ns_id, int fd);
