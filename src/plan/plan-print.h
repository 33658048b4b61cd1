/* SPDX-License-Identifier: LGPL-2.1-only */
/* A plan as text, one line a step: for debug logs and golden tests. */
#pragma once

#include <sys/types.h>

struct plan;

/* One line a step, for golden tests and debug logs. */
void plan_print(const struct plan *plan, int fd);
/* Appends it to the file that the environment variable CRIU_LIST_PLANS names, if there is one. */
void plan_list(const struct plan *plan, pid_t tid);
