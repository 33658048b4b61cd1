/* SPDX-License-Identifier: GPL-2.0-only */
/* signalfd(2): reads the signals of whoever reads; it has nothing of its own but a mask. */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "object/file/file.h"

static int dump_signalfd(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	SignalfdEntry *record = out->sgfd;

	record->id = of->id;
	record->flags = of->flags;
	record->fown = of->owner;
	return fdinfo_get_u64(of->fdinfo, "sigmask", 16, &record->sigmask);
}

static int create_signalfd(struct restore *r, struct file *f)
{
	const SignalfdEntry *record = f->entry->sgfd;
	/* The mask of the C library has more than the 64 bits of the kernel's. */
	AUTO_CLOSE int fd = (int)syscall(SYS_signalfd4, -1, &record->sigmask, sizeof(record->sigmask), O_CLOEXEC);

	if (fd < 0)
		return fail_errno("making a signalfd");
	TRY(file_apply_flags(fd, record->flags, record->fown));
	f->fd = TAKE_FD(fd);
	return 0;
}

const struct file_kind signalfd_kind = {
	.name = "signalfd",
	.type = FD_TYPES__SIGNALFD,
	.entry = offsetof(FileEntry, sgfd),
	.anon_inode = "[signalfd]",
	.dump = dump_signalfd,
	.create = create_signalfd,
};
