/* SPDX-License-Identifier: GPL-2.0-only */
/* Paths of other mount namespaces: for a while, the root directory of this thread is one of theirs. */
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "object/mount/mount.h"

int mount_stay_begin(int root, struct mount_stay *stay)
{
	*stay = (struct mount_stay){ -1, -1 };
	if (root < 0)
		return 0;
	/* Workers go on where they are. */
	if (unshare(CLONE_FS) < 0)
		return fail_errno("getting a root directory of its own (unshare)");
	stay->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	stay->cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (stay->root >= 0 && stay->cwd >= 0 && fchdir(root) == 0 && chroot(".") == 0)
		return 0;
	return fail_errno("entering the root directory of another mount namespace");
}

void mount_stay_end(struct mount_stay *stay)
{
	int error = errno; /* of what was done there */

	if (stay->root >= 0 && (fchdir(stay->root) < 0 || chroot(".") < 0 || (stay->cwd >= 0 && fchdir(stay->cwd) < 0)))
		log_error("criu cannot come back to its own root directory: %m");
	if (stay->root >= 0)
		close(stay->root);
	if (stay->cwd >= 0)
		close(stay->cwd);
	*stay = (struct mount_stay){ -1, -1 };
	errno = error;
}
