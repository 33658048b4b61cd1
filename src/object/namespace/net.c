/* SPDX-License-Identifier: GPL-2.0-only */
/* Network namespaces. */
#include <sched.h>

#include "object/namespace/namespace.h"

const struct namespace_kind net_kind = {
	NAMESPACE_KIND("net", CLONE_NEWNET, net_ns_id),
};
