/* SPDX-License-Identifier: GPL-2.0-only */
/* System V shared memory of a namespace. */
#pragma once

#include <stdint.h>

struct ipc_contents;
struct restore;
struct store;

/* In the namespace. */
int ipc_segments_find(struct ipc_contents *contents);
int ipc_segments_make(struct ipc_contents *contents);
int ipc_segments_settle(struct ipc_contents *contents);

/* Images. */
int ipc_segments_write(const struct ipc_contents *contents, struct store *store, uint32_t number);
int ipc_segments_read(struct ipc_contents *contents, uint32_t number);
/* Not in the namespace: the content of the segments. */
int ipc_segments_open(struct ipc_contents *contents); /* in the namespace; their files, for: */
int ipc_segments_fill(struct restore *r, struct ipc_contents *contents);
