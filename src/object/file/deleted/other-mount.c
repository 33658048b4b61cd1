/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deleted files, restore: one that was open through two mounts is opened through each of them. Links can be made within
 * one mount only, so a mount is looked for that shows both places.
 */
#include "object/file/deleted/other-mount.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/file/deleted/deleted.h"
#include "object/file/deleted/name.h"
#include "object/file/regular/open.h"
#include "object/mount/mount.h"

/* With the name that it had there. False: something is in the way. */
static bool open_by_link(struct restore *r, const RegFileEntry *from, const char *made, int file, struct remap *remap)
{
	AUTO(held_name_close) struct held_name source = HELD_NAME_NONE, target = HELD_NAME_NONE, seen = HELD_NAME_NONE;
	struct mount_common common;
	struct mount_place place;
	AUTO_CLOSE int fd = -1;

	regular_place(r, remap->record, &place);
	/* A link is made through the mount that shows both places. */
	if (!place.exact || !*place.path ||
	    !mount_restore_common(r, &(struct mount_name){ from->mnt_id, made },
				  &(struct mount_name){ remap->record->mnt_id, place.path }, &common) ||
	    held_name_open(common.root, common.from, HELD_AS_IT_IS, &source) < 0 ||
	    held_name_find(&source, file, &fd) < 0 ||
	    held_name_open(common.root, common.to, HELD_AS_IT_IS, &target) < 0 || held_name_link(&target, fd) < 0)
		return false;
	if (held_name_open(place.root, place.path, HELD_AS_IT_IS, &seen) == 0)
		(void)held_name_find(&seen, file, &remap->fd); /* else it stays -1 */
	held_name_remove(&target, fd);
	if (remap->fd >= 0 && mount_restore_is_on(r, remap->record->mnt_id, remap->fd))
		return true;
	auto_close(&remap->fd);
	remap->fd = -1;
	return false;
}

int deleted_open_on_other_mount(struct restore *r, const RegFileEntry *from, const char *made, int file,
				struct remap *remap)
{
	if (open_by_link(r, from, made, file, remap))
		return 0;
	if (mount_restore_open_twin(r, remap->record->has_mnt_id ? remap->record->mnt_id : -1, file, &remap->fd) == 0)
		return 0;
	log_warn("%s was open on another mount than %s; both are opened on one", remap->record->name, from->name);
	remap->fd = fcntl(file, F_DUPFD_CLOEXEC, 3);
	return remap->fd < 0 ? fail_errno("duplicating a descriptor") : 0;
}
