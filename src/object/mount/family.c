/* SPDX-License-Identifier: GPL-2.0-only */
/* What mounts do in which phase, beside the namespace kind "mnt". */
#include "engine/family.h"
#include "object/mount/collect.h"
#include "object/mount/detached/detached.h"
#include "object/mount/fs/autofs-restore.h"
#include "object/mount/fs/fuse-serve.h"
#include "object/mount/given-root.h"
#include "object/mount/load.h"
#include "object/mount/pid-space.h"

const struct object_family mount_family = {
	.name = "mount",
	.dump_collect = detached_find,
	.dump_finish = mount_dump_finish,
	.restore_load = given_root_load,
	.restore_link = mount_restore_link,
	.restore_arrive = mount_restore_arrive,
	.restore_plan = autofs_restore_plan,
	.restore_resume = fuse_serve_end,
};
