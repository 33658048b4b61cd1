/* SPDX-License-Identifier: GPL-2.0-only */
/* One shared library that is a plugin. */
#pragma once

#include <stddef.h>

struct pool;

/* Its descriptor, checked. Points into the library, which stays loaded. */
struct plugin {
	const char *name;
	int (*init)(int stage);
	void (*exit)(int stage, int ret);
	void *const *hooks;
	unsigned n_hooks;
};

/* Opens it and reads its descriptor. What it needs of its own is allocated in pool. Returns 0 or -errno after the
 * reason was logged. */
int library_load(const char *path, struct pool *pool, struct plugin *ret);
