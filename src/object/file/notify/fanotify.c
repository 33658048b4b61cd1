/* SPDX-License-Identifier: GPL-2.0-only */
/* fanotify(7): marks on inodes, mounts and file systems. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "base/vector.h"
#include "object/file/notify/handle.h"
#include "object/file/notify/marks.h"
#include "object/mount/mount.h"

#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE 0x00000400 /* Linux 6.0 */
#endif

static int refuse_line(const char *value)
{
	return refuse(EINVAL, "fdinfo of a fanotify file cannot be understood: \"%s\"", value);
}

static int parse_inode(const struct dump *d, const struct open_file *of, const char *value, FanotifyMarkEntry *mark)
{
	uint64_t dev;

	mark->type = MARK_TYPE__INODE;
	mark->ie = pool_new(d->pool, FanotifyInodeMarkEntry);
	fanotify_inode_mark_entry__init(mark->ie);
	if (fdinfo_field_u64(value, "ino", 16, &mark->ie->i_ino) < 0 || fdinfo_field_u64(value, "sdev", 16, &dev) < 0)
		return refuse_line(value);
	mark->s_dev = (uint32_t)dev;
	return handle_dump(d, of, value, mark->ie->i_ino, mark->s_dev, &mark->ie->f_handle);
}

static int parse_mount(const struct dump *d, const struct open_file *of, const char *value, FanotifyMarkEntry *mark)
{
	uint64_t mnt_id;

	mark->type = MARK_TYPE__MOUNT;
	mark->me = pool_new(d->pool, FanotifyMountMarkEntry);
	fanotify_mount_mark_entry__init(mark->me);
	if (fdinfo_field_u64(value, "mnt_id", 16, &mnt_id) < 0)
		return refuse_line(value);
	mark->me->mnt_id = (uint32_t)mnt_id;
	mark->me->path = (char *)handle_mount_path(d, of->task, (int)mnt_id);
	if (!mark->me->path)
		return refuse(EOPNOTSUPP, "it watches mount %d, which cannot be seen from here", (int)mnt_id);
	return 0;
}

/* "fanotify sdev:800003 mflags:0 mask:2 ignored_mask:0": any mount of the file system will do. */
static int parse_filesystem(const struct dump *d, const struct open_file *of, const char *value,
			    FanotifyMarkEntry *mark)
{
	uint64_t dev;

	mark->type = MARK_TYPE__FILESYSTEM;
	mark->me = pool_new(d->pool, FanotifyMountMarkEntry);
	fanotify_mount_mark_entry__init(mark->me);
	if (fdinfo_field_u64(value, "sdev", 16, &dev) < 0)
		return refuse_line(value);
	mark->s_dev = (uint32_t)dev;
	mark->me->path = (char *)handle_device_path(d, of->task, (uint32_t)dev, &mark->me->mnt_id);
	if (!mark->me->path)
		return refuse(EOPNOTSUPP, "it watches the file system of device %u:%u, which is mounted nowhere here",
			      (uint32_t)dev >> 20, (uint32_t)dev & 0xfffff);
	return 0;
}

static int parse_mark(const struct dump *d, const struct open_file *of, const char *value, FanotifyMarkEntry *mark)
{
	uint64_t mflags, mask, ignored;

	fanotify_mark_entry__init(mark);
	if (fdinfo_field_u64(value, "mflags", 16, &mflags) < 0 || fdinfo_field_u64(value, "mask", 16, &mask) < 0 ||
	    fdinfo_field_u64(value, "ignored_mask", 16, &ignored) < 0)
		return refuse_line(value);
	mark->mflags = (uint32_t)mflags;
	mark->mask = (uint32_t)mask;
	mark->ignored_mask = (uint32_t)ignored;
	/* Whoever opens the file waits for the program, which is frozen: so would we. */
	if (mask & (FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM) && mount_dump_root(d, of->task) >= 0)
		return refuse(EOPNOTSUPP, "it decides who may open files (FAN_OPEN_PERM): saving the files of a mount "
					  "namespace of its own would wait "
					  "for it; remove the mark");
	if (fdinfo_field(value, "ino"))
		return parse_inode(d, of, value, mark);
	if (fdinfo_field(value, "mnt_id"))
		return parse_mount(d, of, value, mark);
	return parse_filesystem(d, of, value, mark);
}

/* The first line tells how the file was made, the others are its marks. */
static int parse_line(const struct dump *d, const struct open_file *of, const char *value, void *arg, void **ret)
{
	FanotifyFileEntry *record = arg;
	uint64_t flags, event_flags;

	if (!text_starts(value, "flags:")) {
		*ret = pool_new(d->pool, FanotifyMarkEntry);
		return parse_mark(d, of, value, *ret);
	}
	if (fdinfo_field_u64(value, "flags", 16, &flags) < 0 ||
	    fdinfo_field_u64(value, "event-flags", 16, &event_flags) < 0)
		return refuse_line(value);
	record->faflags = (uint32_t)flags;
	record->evflags = (uint32_t)event_flags;
	return 0;
}

static int dump_fanotify(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	FanotifyFileEntry *record = out->ffy;
	void **marks;

	record->id = of->id;
	record->flags = of->flags;
	record->fown = of->owner;
	TRY(marks_dump(d, of, "fanotify", parse_line, record, &marks, &record->n_mark));
	record->mark = (FanotifyMarkEntry **)marks;
	return 0;
}

/* --- restore --- */

static int create_fanotify(struct restore *r, struct file *f)
{
	const FanotifyFileEntry *record = f->entry->ffy;
	AUTO_CLOSE int fd = fanotify_init(record->faflags, record->evflags);

	if (fd < 0)
		return fail_errno("fanotify_init with flags 0x%x", record->faflags);
	/* FAN_CLOEXEC stays with the group: it is for the descriptors of events, too. */
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return fail_errno("FD_CLOEXEC");
	TRY(file_apply_flags(fd, record->flags, record->fown));
	f->fd = TAKE_FD(fd);
	return 0;
}

static int load_fanotify(const struct restore *r, struct file *f)
{
	for (size_t i = 0; i < f->entry->ffy->n_mark; i++) {
		const FanotifyMarkEntry *mark = f->entry->ffy->mark[i];

		if (mark->type == MARK_TYPE__INODE ? !mark->ie : !mark->me || !mark->me->path)
			return refuse(EINVAL, "files.img: mark %zu does not tell what it is on", i);
	}
	f->users++; /* until the marks are set */
	return 0;
}

static int link_fanotify(const struct restore *r, struct file *f)
{
	const FanotifyFileEntry *record = f->entry->ffy;

	for (size_t i = 0; i < record->n_mark; i++)
		if (record->mark[i]->ie)
			TRY(handle_link(r, record->mark[i]->ie->f_handle));
	return 0;
}

static int open_mount(struct restore *r, const FanotifyMountMarkEntry *record)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;
	int fd;

	TRY(mount_stay_begin(mount_restore_root(r, (int)record->mnt_id), &stay));
	fd = open(record->path, O_PATH | O_CLOEXEC);
	return fd < 0 ? fail_errno("opening %s, the mount that was watched", record->path) : fd;
}

static int set_mark(struct restore *r, int fd, const FanotifyMarkEntry *mark)
{
	AUTO_CLOSE int target = -1;
	unsigned flags = FAN_MARK_ADD, ignored = mark->mflags & FAN_MARK_IGNORED_SURV_MODIFY;
	char name[32];

	if (mark->type == MARK_TYPE__INODE) {
		TRY(handle_open(r, mark->ie->f_handle, mark->ie->i_ino, mark->s_dev, &target));
	} else {
		flags |= mark->type == MARK_TYPE__MOUNT ? FAN_MARK_MOUNT : FAN_MARK_FILESYSTEM;
		target = open_mount(r, mark->me);
		TRY(target);
	}
	flags |= mark->mflags & ~(unsigned)(FAN_MARK_IGNORED_SURV_MODIFY | FAN_MARK_IGNORE);
	ignored |= mark->mflags & FAN_MARK_IGNORE ? FAN_MARK_IGNORE : FAN_MARK_IGNORED_MASK;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", target);
	if (mark->mask && fanotify_mark(fd, flags, mark->mask, AT_FDCWD, name) < 0)
		return fail_errno("marking it with 0x%x", mark->mask);
	if (mark->ignored_mask && fanotify_mark(fd, flags | ignored, mark->ignored_mask, AT_FDCWD, name) < 0)
		return fail_errno("ignoring 0x%x", mark->ignored_mask);
	return 0;
}

static int settle_fanotify(struct restore *r, struct file *f)
{
	int fd;

	TRY(file_get_fd(r, f, &fd));
	for (size_t i = 0; i < f->entry->ffy->n_mark; i++) {
		LOG_SCOPE("mark %zu", i);
		TRY(set_mark(r, fd, f->entry->ffy->mark[i]));
	}
	file_put(r, f);
	return 0;
}

const struct file_kind fanotify_kind = {
	.name = "fanotify",
	.type = FD_TYPES__FANOTIFY,
	.entry = offsetof(FileEntry, ffy),
	.anon_inode = "[fanotify]",
	.dump = dump_fanotify,
	.load = load_fanotify,
	.link = link_fanotify,
	.create = create_fanotify,
	.settle = settle_fanotify,
};
