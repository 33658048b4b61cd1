/* SPDX-License-Identifier: GPL-2.0-only */
/* eventfd(2): a counter. */
#include <sys/eventfd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/outline.h"
#include "base/log.h"
#include "object/file/file.h"

static const struct state_type warned_state = { sizeof(bool), NULL };

/* Only a read would show it, and a dump must not change the counter: it may die at that moment. */
static void warn_untold(const struct dump *d)
{
	bool *warned = state_get(d->states, &warned_state);

	if (!*warned)
		log_warn("Linux tells only since 6.5 whether an eventfd is a semaphore (EFD_SEMAPHORE): here all are "
			 "saved "
			 "as ordinary ones, and reading them will give the whole counter");
	*warned = true;
}

static int dump_eventfd(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	EventfdFileEntry *record = out->efd;
	uint64_t semaphore;
	int told = fdinfo_get_u64(of->fdinfo, "eventfd-semaphore", 10, &semaphore); /* since 6.5 */

	if (told < 0 && told != -ENOENT)
		return told;
	if (told < 0)
		warn_untold(d);
	record->id = of->id;
	record->flags = of->flags;
	/* The format has no place for it. The lowest bit of the flags means nothing otherwise: the access mode is
	 * always O_RDWR. */
	if (told == 0 && semaphore)
		record->flags |= EFD_SEMAPHORE;
	record->fown = of->owner;
	return fdinfo_get_u64(of->fdinfo, "eventfd-count", 16, &record->counter);
}

static int create_eventfd(struct restore *r, struct file *f)
{
	const EventfdFileEntry *record = f->entry->efd;
	AUTO_CLOSE int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | (record->flags & EFD_SEMAPHORE));

	if (fd < 0)
		return fail_errno("making an eventfd");
	if (record->counter && eventfd_write(fd, record->counter) < 0)
		return fail_errno("setting its counter to %llu", (unsigned long long)record->counter);
	TRY(file_apply_flags(fd, record->flags, record->fown));
	f->fd = TAKE_FD(fd);
	return 0;
}

static void inspect_eventfd(const struct restore *r, const struct file *f, struct outline *to)
{
	outline_add_number(to, "counter", (int64_t)f->entry->efd->counter);
}

const struct file_kind eventfd_kind = {
	.name = "eventfd",
	.type = FD_TYPES__EVENTFD,
	.entry = offsetof(FileEntry, efd),
	.anon_inode = "[eventfd]",
	.dump = dump_eventfd,
	.inspect = inspect_eventfd,
	.create = create_eventfd,
};
