/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/PID/cgroup: "4:memory:/path". A path has no newline, but may have colons. */
#include "kern/proc/cgroup.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/proc/proc.h"

int proc_cgroups_parse(char *text, struct pool *pool, struct proc_cgroups *ret)
{
	char *line;

	ret->n = 0;
	while ((line = text_line(&text))) {
		char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
		struct proc_cgroup *cgroup;

		if (!path)
			return refuse(EINVAL, "cannot understand the line \"%s\" of /proc/PID/cgroup", line);
		*controllers++ = '\0';
		*path++ = '\0';
		cgroup = vector_push(ret);
		*cgroup = (struct proc_cgroup){ .controllers = pool_string(pool, controllers),
						.path = pool_string(pool, path) };
		if (text_to_int(line, &cgroup->hierarchy) < 0)
			return refuse(EINVAL, "\"%s\" of /proc/PID/cgroup is no hierarchy", line);
	}
	return 0;
}

int proc_cgroups_read(int proc, struct pool *pool, struct proc_cgroups *ret)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	TRY(proc_read_record(proc, "cgroup", &text));
	return proc_cgroups_parse(text.data, pool, ret);
}

void proc_cgroups_done(struct proc_cgroups *cgroups)
{
	vector_done(cgroups);
}
