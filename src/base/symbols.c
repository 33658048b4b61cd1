/* SPDX-License-Identifier: LGPL-2.1-only */
/* Libraries that are loaded when they are needed. */
#include "base/symbols.h"

#include <dlfcn.h>
#include <errno.h>

#include "base/fail.h"

int symbols_load(const char *file, const struct loaded_symbol *symbols, size_t n)
{
	void *library;

	if (n && *symbols[n - 1].to)
		return 0;
	if (IS_STATIC_BUILD)
		return fail(ENOSYS, "this criu is built as a single file (-Dstatic=true), which does without %s", file);
	library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return refuse(ENOENT, "this needs a library that is not installed: %s", dlerror());
	for (size_t i = 0; i < n; i++) {
		*symbols[i].to = dlsym(library, symbols[i].name);
		if (!*symbols[i].to)
			return fail(ENOSYS, "%s is too old: it has no %s", file, symbols[i].name);
	}
	return 0;
}
