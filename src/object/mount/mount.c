/* SPDX-License-Identifier: GPL-2.0-only */
/* Mount namespaces. What is mounted in them is the matter of object/mount. */
#include <sched.h>

#include "object/mount/mount.h"
#include "object/mount/collect.h"
#include "object/mount/inspect.h"
#include "object/mount/load.h"
#include "object/mount/restore.h"
#include "object/mount/save.h"
#include "object/namespace/namespace.h"

const struct namespace_kind mount_kind = {
	NAMESPACE_KIND("mnt", CLONE_NEWNS, mnt_ns_id),
	.joinable = true,
	.nested = true,
	.keepable = true,
	.collect = mount_dump_collect,
	.dump = mount_dump_write,
	.load = mount_restore_load,
	.needs = mount_restore_needs,
	.inspect = mount_restore_inspect,
	.make = mount_restore_require, /* it is born with the root task */
	.fill = mount_restore_fill,
	.settle = mount_restore_settle,
	.clean = mount_restore_clean,
};
