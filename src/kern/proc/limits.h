/* SPDX-License-Identifier: LGPL-2.1-only */
/* Resource limits of a process: /proc/PID/limits. */
#pragma once

#include <sys/resource.h>

#define PROC_LIMITS RLIMIT_NLIMITS

/* By RLIMIT_..; RLIM_INFINITY for "unlimited". */
struct proc_limits {
	struct rlimit items[PROC_LIMITS];
};

int proc_limits_read(int proc, struct proc_limits *ret);
int proc_limits_parse(char *text, struct proc_limits *ret); /* changes the text */
