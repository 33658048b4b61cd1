/* SPDX-License-Identifier: GPL-2.0-only */
/* criu lazy-pages, and the page servers that it gets memory from. */
#pragma once

#include <stdbool.h>

struct options;

/* Returns 0 when every task has its memory, or in the background the pid of the daemon; or a failure. */
int lazy_pages(const struct options *options);
