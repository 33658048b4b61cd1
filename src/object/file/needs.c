/* SPDX-License-Identifier: GPL-2.0-only */
/* criu verify: are the files that will be opened by their path still there, and the same? An ordinary user may ask. */
#include "object/file/needs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "object/file/deleted/deleted.h"
#include "object/file/validate.h"
#include "session/given.h"
#include "session/needs.h"

static void describe_file(const RegFileEntry *record, char *to, size_t capacity)
{
	int n = 0;

	to[0] = '\0';
	if (record->has_size && S_ISREG(record->mode))
		n = snprintf(to, capacity, "%llu bytes", (unsigned long long)record->size);
	if (!record->n_build_id)
		return;
	n += snprintf(to + n, capacity - (size_t)n, "%sbuild id ", n ? ", " : "");
	for (size_t i = 0; i < record->n_build_id * 4 && (size_t)n + 3 < capacity && i < 20; i++)
		n += snprintf(to + n, capacity - (size_t)n, "%02x", ((const uint8_t *)record->build_id)[i]);
}

/* Of a process that is to be restored: it is not there yet. */
static bool is_own_proc(const char *name)
{
	const char *rest = text_after(name, "/proc/");

	return rest && *rest >= '0' && *rest <= '9';
}

static int check_file(const struct restore *r, const RegFileEntry *record)
{
	AUTO_CLOSE int fd = open(record->name, O_PATH | O_CLOEXEC | (int)(record->flags & O_NOFOLLOW));
	struct options options = *r->options;
	char self[32];

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return refuse(ENOENT,
			      "%s is missing: put it back where it was, or give another one with --inherit-fd fd[N]:%s",
			      record->name, record->name + 1);
	if (fd < 0) {
		need_unchecked(r);
		return 0;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (record->n_build_id && access(self, R_OK) < 0) {
		need_unchecked(r);
		options.file_validation = OPT_FILE_SIZE;
	}
	LOG_SCOPE("%s", record->name);
	return validate_file(&options, record, fd);
}

int regular_need(const struct restore *r, const RegFileEntry *record)
{
	char size[128];
	const RegFileEntry *link;
	int found = deleted_find_link(r, record, &link);

	if (found > 0 && !link)
		return 0; /* its content is in the images */
	TRY(found);
	if (found > 0)
		record = link;
	if (given_has_descriptor(r, record->name + 1))
		return 0;
	describe_file(record, size, sizeof(size));
	if (!needs_add(r, NEED_FILE, record->name, "%s", size) || needs_other_paths(r) || is_own_proc(record->name))
		return 0;
	return check_file(r, record);
}
