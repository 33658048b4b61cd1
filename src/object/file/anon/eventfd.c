/* SPDX-License-Identifier: GPL-2.0-only */
/* eventfd(2): a counter. */
#include <sys/eventfd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/outline.h"
#include "base/log.h"
#include "object/file/file.h"
#include "session/kernel-view.h"

static const struct state_type warned_state = { sizeof(bool), NULL };

static void warn_untold(const struct dump *d, const char *why)
{
	bool *warned = state_get(d->states, &warned_state);

	if (!*warned)
		log_warn("Linux tells only since 6.5 whether an eventfd is a semaphore (EFD_SEMAPHORE), and it does "
			 "not show in the kernel's memory (%s): all are saved as ordinary ones, and reading them will "
			 "give the whole counter",
			 why);
	*warned = true;
}

/* Before 6.5 only a read would show it, and a dump must not change the counter: it may die at that moment. */
static bool looks_like_semaphore(const struct dump *d, int fd)
{
	uint64_t context = 0;
	uint32_t flags;
	const char *why;
	struct kernel_view *view = kernel_view_get(d, &why);

	if (view &&
	    kernel_view_read(view, kernel_view_file(view, fd), "file", "private_data", &context, sizeof(context)) &&
	    kernel_view_read(view, context, "eventfd_ctx", "flags", &flags, sizeof(flags)))
		return flags & EFD_SEMAPHORE;
	warn_untold(d, view ? "its structures are unknown" : why);
	return false;
}

static int dump_eventfd(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	EventfdFileEntry *record = out->efd;
	uint64_t semaphore;
	int told = fdinfo_get_u64(of->fdinfo, "eventfd-semaphore", 10, &semaphore); /* since 6.5 */

	if (told < 0 && told != -ENOENT)
		return told;
	record->id = of->id;
	record->flags = of->flags;
	/* The format has no place for it. The lowest bit of the flags means nothing otherwise: the access mode is
	 * always O_RDWR. */
	if (told < 0 ? looks_like_semaphore(d, of->fd) : semaphore)
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
