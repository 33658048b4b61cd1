/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deleted files, restore: one that was open through two mounts is opened through each of them. Links can be made within
 * one mount only, so a mount is looked for that shows both places.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/file/deleted/deleted.h"
#include "object/mount/mount.h"

static int open_at(int root, const char *path)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	TRY(mount_stay_begin(root, &stay));
	return open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int change(int root, const char *from, const char *to)
{
	AUTO(mount_stay_end) struct mount_stay stay = MOUNT_STAY_NOWHERE;

	TRY(mount_stay_begin(root, &stay));
	return from ? linkat(AT_FDCWD, from, AT_FDCWD, to, 0) : unlink(to);
}

/* With the name that it had there. False: something is in the way. */
static bool open_by_link(struct restore *r, const RegFileEntry *from, const char *made, struct remap *remap)
{
	struct mount_place place;
	struct mount_common common;

	regular_place(r, remap->record, &place);
	if (!place.exact || !*place.path ||
	    !mount_restore_common(r, &(struct mount_name){ from->mnt_id, made },
				  &(struct mount_name){ remap->record->mnt_id, place.path }, &common))
		return false;
	if (change(common.root, common.from, common.to) < 0)
		return false;
	remap->fd = open_at(place.root, place.path);
	if (change(common.root, NULL, common.to) < 0)
		log_warn("%s was made for a moment and could not be removed: %s", remap->record->name, strerror(errno));
	if (remap->fd >= 0 && mount_restore_is_on(r, remap->record->mnt_id, remap->fd))
		return true;
	auto_close(&remap->fd);
	remap->fd = -1;
	return false;
}

int deleted_open_on_other_mount(struct restore *r, const RegFileEntry *from, const char *made, int root,
				struct remap *remap)
{
	AUTO_CLOSE int fd = -1;

	if (open_by_link(r, from, made, remap))
		return 0;
	fd = open_at(root, made);
	if (fd < 0)
		return fail_errno("opening %s", made);
	if (mount_restore_open_twin(r, remap->record->has_mnt_id ? remap->record->mnt_id : -1, fd, &remap->fd) == 0)
		return 0;
	log_warn("%s was open on another mount than %s; both are opened on one", remap->record->name, from->name);
	remap->fd = TAKE_FD(fd);
	return 0;
}
