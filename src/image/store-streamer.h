/* SPDX-License-Identifier: GPL-2.0-only */
/* A store for --stream. */
#pragma once

#include <stdbool.h>

struct store;

/* Another process sends or takes the images (--stream), and listens in the directory, which stays the caller's. */
int store_open_streamer(int dirfd, bool for_writing, struct store **ret);
/* There is no way back in what was written. */
bool store_is_streamed(const struct store *store);
