/* SPDX-License-Identifier: GPL-2.0-only */
/* Sysctls of namespaces that the kernel of the restore does not have: --weak-sysctls. */
#include "session/sysctl.h"

#include <errno.h>

#include "base/fail.h"
#include "base/log.h"
#include "session/session.h"

int restore_missing_sysctl(const struct restore *r, const char *path, const char *value)
{
	if (!r->options->weak_sysctls)
		return refuse(ENOENT, "this kernel has no %s, which was %s: --weak-sysctls goes on without it", path,
			      value);
	log_warn("This kernel has no %s: %s is not set", path, value);
	return 0;
}
