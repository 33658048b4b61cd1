/* SPDX-License-Identifier: GPL-2.0-only */
/* POSIX message queues of an IPC namespace. */
#pragma once

#include <stdint.h>

struct ipc_contents;
struct store;

/* Dump, in the namespace: which there are; refuses what cannot be saved. */
int ipc_posix_queues_find(struct ipc_contents *contents);
/* Takes their messages, and puts them back. */
int ipc_posix_queues_copy(struct ipc_contents *contents);
int ipc_posix_queues_write(const struct ipc_contents *contents, struct store *store, uint32_t number);

/* Restore. */
int ipc_posix_queues_read(struct ipc_contents *contents, uint32_t number);
/* In the namespace. */
int ipc_posix_queues_make(struct ipc_contents *contents);
