/* SPDX-License-Identifier: GPL-2.0-only */
/* IPC namespaces. */
#include <sched.h>

#include "object/namespace/namespace.h"

const struct namespace_kind ipc_kind = {
	NAMESPACE_KIND("ipc", CLONE_NEWIPC, ipc_ns_id),
};
