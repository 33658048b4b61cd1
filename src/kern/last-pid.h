/* SPDX-License-Identifier: LGPL-2.1-only */
/* The last pid that was given away in a pid namespace: the kernel goes on from there. */
#pragma once

#include <sys/types.h>

struct last_pid {
	pid_t wanted; /* what to make of it */
	pid_t old;    /* what it was */
};

/* In the pid namespace of the caller; for namespace_run(): a struct last_pid. */
int last_pid_write(void *last);
/* The same, but never to a lower one. */
int last_pid_raise(void *last);
