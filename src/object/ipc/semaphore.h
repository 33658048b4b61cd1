/* SPDX-License-Identifier: GPL-2.0-only */
/* System V semaphores. What a process would undo at its end (SEM_UNDO) the kernel tells nobody. */
#pragma once

#include <stdint.h>

struct ipc_contents;
struct store;

int ipc_semaphores_find(struct ipc_contents *contents);
int ipc_semaphores_make(struct ipc_contents *contents);
int ipc_semaphores_write(const struct ipc_contents *contents, struct store *store, uint32_t number);
int ipc_semaphores_read(struct ipc_contents *contents, uint32_t number);
