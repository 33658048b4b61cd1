/* SPDX-License-Identifier: GPL-2.0-only */
/* Mount namespaces. */
#include <sched.h>

#include "object/namespace/namespace.h"

const struct namespace_kind mount_kind = {
	NAMESPACE_KIND("mnt", CLONE_NEWNS, mnt_ns_id),
};
