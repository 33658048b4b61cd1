/* SPDX-License-Identifier: GPL-2.0-only */
/* PID namespaces. */
#include <sched.h>

#include "object/namespace/namespace.h"

const struct namespace_kind pid_kind = {
	NAMESPACE_KIND("pid", CLONE_NEWPID, pid_ns_id),
};
