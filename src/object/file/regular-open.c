/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens files again by what their records tell. */
#include <fcntl.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/file/regular.h"

/* Nothing may be made or cut off when a file is opened again. O_TMPFILE contains O_DIRECTORY. */
static int flags_for_reopen(const RegFileEntry *record, uint32_t more_flags)
{
	uint32_t flags = record->flags;

	if ((flags & O_TMPFILE) == O_TMPFILE)
		flags &= ~(uint32_t)O_TMPFILE;
	flags &= ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_ASYNC);
	return (int)(flags | more_flags | O_NOCTTY | O_CLOEXEC);
}

static int open_inherited(struct restore *r, const RegFileEntry *record, int *ret_fd)
{
	const char *key = record->name;
	int found = file_inherited(r, key[0] == '/' ? key + 1 : key, ret_fd);

	/* "/" itself: the key would be empty */
	return found == -ENOENT || !key[0] ? -ENOENT : found;
}

static int open_again(struct restore *r, const RegFileEntry *record, int flags, int *ret_fd)
{
	int deleted = deleted_open(r, record, flags, ret_fd);

	if (deleted != -ENOENT)
		return deleted;
	*ret_fd = open(record->name, flags);
	if (*ret_fd < 0 && errno == ENOENT)
		return fail(ENOENT, "opening it again: put the file back where it was, or give another one with --inherit-fd "
				    "fd[N]:%s", record->name + 1);
	return *ret_fd < 0 ? fail_errno("opening it again with flags 0%o", flags & ~(O_CLOEXEC | O_NOCTTY)) : 0;
}

int regular_open(struct restore *r, const RegFileEntry *record, uint32_t more_flags, int *ret_fd)
{
	AUTO_CLOSE int fd = -1;
	int inherited = open_inherited(r, record, &fd);

	if (inherited < 0 && inherited != -ENOENT)
		return inherited;
	if (inherited < 0) {
		TRY(open_again(r, record, flags_for_reopen(record, more_flags), &fd));
		TRY(validate_file(r->options, record, fd));
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}
