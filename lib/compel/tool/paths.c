/* SPDX-License-Identifier: LGPL-2.1-only */
/* Finding what "make install" has installed, from where the tool itself lies. */
#include "lib/compel/tool/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

static const struct {
	const char *installed, *built;
} parts[] = {
	[PART_INCLUDE] = { COMPEL_INCLUDEDIR, "lib/compel/include" },
	[PART_PLUGINS] = { COMPEL_LIBEXECDIR "/compel", "lib/compel" },
	[PART_SCRIPTS] = { COMPEL_LIBEXECDIR "/compel/scripts", "lib/compel" },
	[PART_SHARED] = { COMPEL_LIBDIR "/libcompel.so.1", NULL },
	[PART_STATIC] = { COMPEL_LIBDIR "/libcompel.a", "lib/compel/libcompel.a" },
};

/* What stands in front of the configured directory of programs: empty, or a DESTDIR. */
static void find_root(char *to, size_t capacity)
{
	static const char tail[] = COMPEL_BINDIR "/compel";
	ssize_t n = file_readlink(AT_FDCWD, "/proc/self/exe", to, capacity);

	if (n < 0 || !text_ends(to, tail))
		n = (ssize_t)sizeof(tail) - 1;
	to[(size_t)n - (sizeof(tail) - 1)] = '\0';
}

int paths_find(enum part part, char *to, size_t capacity)
{
	const char *build = getenv("COMPEL_UNINSTALLED_ROOTDIR");
	char root[4096] = "";

	if (build && *build) {
		if (!parts[part].built)
			return -ENOENT;
		snprintf(to, capacity, "%s/%s", build, parts[part].built);
		return 0;
	}
	find_root(root, sizeof(root));
	snprintf(to, capacity, "%s%s", root, parts[part].installed);
	return 0;
}
