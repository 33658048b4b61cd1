/* SPDX-License-Identifier: GPL-2.0-only */
/* User namespaces. */
#include <sched.h>

#include "object/namespace/namespace.h"

const struct namespace_kind user_kind = {
	NAMESPACE_KIND("user", CLONE_NEWUSER, user_ns_id),
};
