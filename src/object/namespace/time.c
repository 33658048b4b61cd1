/* SPDX-License-Identifier: GPL-2.0-only */
/* Time namespaces. */
#include <sched.h>

#include "object/namespace/namespace.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080 /* since 5.6 */
#endif

const struct namespace_kind time_kind = {
	NAMESPACE_KIND("time", CLONE_NEWTIME, time_ns_id),
};
