/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths that are others here than where the dump was made. */
#include "session/mapped.h"

#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "options/options.h"
#include "session/session.h"

/* What follows the folder (or is the path itself), NULL if the path is not in it. */
static const char *rest_of(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	if (strncmp(path, folder, length))
		return NULL;
	return !path[length] || path[length] == '/' ? path + length : NULL;
}

/* The longest of those that fit: what a user says of a part is meant more than what is said of the whole. */
const char *mapped_path(const struct restore *r, const char *path)
{
	const struct opt_pairs *maps = &r->options->map_paths;
	const struct opt_pair *best = NULL;
	const char *result;

	for (size_t i = 0; i < maps->n; i++)
		if (rest_of(path, maps->items[i].from) && (!best || strlen(maps->items[i].from) > strlen(best->from)))
			best = &maps->items[i];
	if (!best)
		return path;
	result = pool_printf(r->pool, "%s%s", best->to, rest_of(path, best->from));
	if (!*result)
		result = "/";
	log_info("%s becomes %s", path, result);
	return result;
}
