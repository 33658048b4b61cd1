/* SPDX-License-Identifier: GPL-2.0-only */
/* Keys of --inherit-fd and --external. */
#include "session/given.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"

int given_descriptor(struct restore *r, const char *key, int *ret_fd)
{
	const struct opt_inherit_fds *given = &r->options->inherit_fds;

	for (size_t i = 0; i < given->n; i++) {
		if (strcmp(given->items[i].key, key) != 0)
			continue;
		*ret_fd = fcntl(given->items[i].fd, F_DUPFD_CLOEXEC, 3);
		if (*ret_fd < 0)
			return fail_errno("taking over descriptor %d for %s", given->items[i].fd, key);
		log_info("Descriptor %d stands in for %s", given->items[i].fd, key);
		return 0;
	}
	return -ENOENT;
}

bool given_has_descriptor(const struct restore *r, const char *key)
{
	for (size_t i = 0; i < r->options->inherit_fds.n; i++)
		if (strcmp(r->options->inherit_fds.items[i].key, key) == 0)
			return true;
	return false;
}

const char *given_external(const struct options *options, const char *word, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < options->external.n; i++) {
		const char *rest = text_after(options->external.items[i], word);

		if (!rest || *rest++ != '[' || strncmp(rest, name, size) != 0 || rest[size] != ']')
			continue;
		return rest[size + 1] == ':' ? rest + size + 2 : "";
	}
	return NULL;
}

bool given_is_external(const struct options *options, const char *key)
{
	for (size_t i = 0; i < options->external.n; i++)
		if (strcmp(options->external.items[i], key) == 0)
			return true;
	return false;
}
