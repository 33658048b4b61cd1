/* SPDX-License-Identifier: GPL-2.0-only */
/* inotify(7): watches with the numbers they had. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/vector.h"
#include "object/file/flags.h"
#include "object/file/notify/handle.h"
#include "object/file/notify/marks.h"

/* <linux/inotify.h> clashes with <sys/inotify.h>; since 4.17 */
#ifndef INOTIFY_IOC_SETNEXTWD
#define INOTIFY_IOC_SETNEXTWD _IOW('I', 0, int32_t)
#endif

/* "wd:1 ino:3c51a sdev:fe00000 mask:100 ignored_mask:0 fhandle-bytes:8 ..." */
static int parse_watch(const struct dump *d, const struct open_file *of, const char *value, void *record, void **ret)
{
	InotifyWdEntry *watch = *ret = pool_new(d->pool, InotifyWdEntry);
	uint64_t wd, dev, mask, ignored;

	inotify_wd_entry__init(watch);
	if (fdinfo_field_u64(value, "wd", 16, &wd) < 0 || fdinfo_field_u64(value, "ino", 16, &watch->i_ino) < 0 ||
	    fdinfo_field_u64(value, "sdev", 16, &dev) < 0 || fdinfo_field_u64(value, "mask", 16, &mask) < 0 ||
	    fdinfo_field_u64(value, "ignored_mask", 16, &ignored) < 0)
		return refuse(EINVAL, "fdinfo of an inotify file cannot be understood: \"%s\"", value);
	watch->wd = (uint32_t)wd;
	watch->s_dev = (uint32_t)dev;
	watch->mask = (uint32_t)mask;
	watch->ignored_mask = (uint32_t)ignored;
	LOG_SCOPE("watch %u", watch->wd);
	return handle_dump(d, of, value, watch->i_ino, watch->s_dev, &watch->f_handle);
}

static int compare_watches(const void *a, const void *b)
{
	const InotifyWdEntry *left = *(InotifyWdEntry *const *)a, *right = *(InotifyWdEntry *const *)b;

	return left->wd < right->wd ? -1 : left->wd > right->wd;
}

static int dump_inotify(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	InotifyFileEntry *record = out->ify;
	void **watches;

	record->id = of->id;
	record->flags = of->flags;
	record->fown = of->owner;
	TRY(marks_dump(d, of, "inotify", parse_watch, NULL, &watches, &record->n_wd));
	record->wd = (InotifyWdEntry **)watches;
	if (record->n_wd)
		qsort(record->wd, record->n_wd, sizeof(*record->wd), compare_watches);
	return 0;
}

/* --- restore --- */

static int make_inotify(const struct file *f)
{
	int fd = inotify_init1(IN_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* /proc/sys/fs/inotify limits instances and watches of each user. */
static int create_inotify(struct restore *r, struct file *f)
{
	AUTO_CLOSE int fd = file_make_as_user(r, f, make_inotify);

	if (fd < 0)
		return fail(-fd, "inotify_init1 (see /proc/sys/fs/inotify for the limits)");
	TRY(file_apply_flags(fd, f->entry->ify->flags, f->entry->ify->fown));
	f->fd = TAKE_FD(fd);
	return 0;
}

static int load_inotify(const struct restore *r, struct file *f)
{
	f->users++; /* until the watches are set */
	return 0;
}

static int add_watch(struct restore *r, int fd, const InotifyWdEntry *watch)
{
	AUTO_CLOSE int target = -1;
	int next = (int)watch->wd, wd;
	char name[32];

	TRY(handle_open(r, watch->f_handle, watch->i_ino, watch->s_dev, &target));
	if (ioctl(fd, INOTIFY_IOC_SETNEXTWD, next) < 0)
		return fail_errno("choosing the number of the next watch");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", target);
	wd = inotify_add_watch(fd, name, watch->mask & ~(uint32_t)IN_IGNORED);
	if (wd < 0)
		return fail_errno("watching %s", watch->f_handle->path ? watch->f_handle->path : "an inode");
	if (wd != next)
		return refuse(EEXIST, "the watch got number %d instead of %d", wd, next);
	return 0;
}

static int link_inotify(const struct restore *r, struct file *f)
{
	const InotifyFileEntry *record = f->entry->ify;

	for (size_t i = 0; i < record->n_wd; i++)
		TRY(handle_link(r, record->wd[i]->f_handle));
	return 0;
}

/* At the very end: what the restore itself does to watched files is no event for the program. */
static int settle_inotify(struct restore *r, struct file *f)
{
	const InotifyFileEntry *record = f->entry->ify;
	int fd;

	TRY(file_get_fd(r, f, &fd));
	for (size_t i = 0; i < record->n_wd; i++) {
		LOG_SCOPE("watch %u", record->wd[i]->wd);
		TRY(add_watch(r, fd, record->wd[i]));
	}
	file_put(r, f);
	return 0;
}

/* It shows itself without brackets. */
const struct file_kind inotify_kind = {
	.name = "inotify",
	.type = FD_TYPES__INOTIFY,
	.entry = offsetof(FileEntry, ify),
	.anon_inode = "inotify",
	.dump = dump_inotify,
	.finish = handle_finish, /* for fanotify as well */
	.load = load_inotify,
	.link = link_inotify,
	.create = create_inotify,
	.settle = settle_inotify,
};
