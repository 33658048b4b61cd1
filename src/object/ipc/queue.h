/* SPDX-License-Identifier: GPL-2.0-only */
/* System V message queues with their messages, which are copied without being taken out. */
#pragma once

#include <stdint.h>

struct ipc_contents;
struct store;

int ipc_queues_find(struct ipc_contents *contents);
int ipc_queues_make(struct ipc_contents *contents);
/* In the namespace: the messages, which stay where they are. */
int ipc_queues_copy(struct ipc_contents *contents);
int ipc_queues_write(const struct ipc_contents *contents, struct store *store, uint32_t number);
int ipc_queues_read(struct ipc_contents *contents, uint32_t number);
