/* SPDX-License-Identifier: LGPL-2.1-only */
/* waitpid(2) for a traced thread, with a time limit. */
#pragma once

#include <sys/types.h>

struct deadline;

/* 0: *status is the next thing that has happened to the thread. -ESRCH: it is not traced by us. -ETIMEDOUT. Nothing is
 * logged. */
int thread_wait(pid_t tid, const struct deadline *deadline, int *status);
