/* SPDX-License-Identifier: GPL-2.0-only */
/* What mounts do in which phase, beside the namespace kind "mnt". */
#include "engine/family.h"
#include "object/mount/core.h"

const struct object_family mount_family = {
	.name = "mount",
	.restore_arrive = mount_restore_arrive,
	.restore_plan = autofs_restore_plan,
};
