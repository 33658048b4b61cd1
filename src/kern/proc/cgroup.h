/* SPDX-License-Identifier: LGPL-2.1-only */
/* The control groups of a task: /proc/PID/cgroup. */
#pragma once

#include <stddef.h>

#include "base/pool.h"

struct proc_cgroup {
	int hierarchy;		 /* 0 = cgroup2 */
	const char *controllers; /* "cpu,cpuacct", "name=systemd", "" for cgroup2 */
	const char *path;	 /* as the cgroup namespace of the reader shows it: "/", "/../x" */
};

struct proc_cgroups {
	struct proc_cgroup *items;
	size_t n, capacity;
};

/* Strings go to the pool. ret must be zeroed or from an earlier read. */
int proc_cgroups_read(int proc, struct pool *pool, struct proc_cgroups *ret);
int proc_cgroups_parse(char *text, struct pool *pool, struct proc_cgroups *ret); /* changes the text */
void proc_cgroups_done(struct proc_cgroups *cgroups);
