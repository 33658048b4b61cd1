/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Threads of other processes that run our blob. An arena is memory shared with such processes; it holds the blob, a
 * slot for each thread and the plans. Two ways in: a parasite is a stopped thread of a living program (arena_invade,
 * parasite_*), a restorer is a thread that we made.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "plan/plan.h"

struct arena;
struct remote;

/* --- any remote --- */

/* Hands over a plan and lets it run. The plan may be reset or destroyed only after remote_wait(). */
int remote_post(struct remote *remote, const struct plan *plan);
/* Waits until the posted plan is done. A failed step is reported with its reason: fail(). */
int remote_wait(struct remote *remote, const struct deadline *deadline);
int remote_run(struct remote *remote, const struct plan *plan, const struct deadline *deadline);
/* Data of the plan that was run last, as the thread left it. Valid until the next post. */
const void *remote_result(const struct remote *remote, size_t offset);
/* Result kept by plan_keep_result(). */
int64_t remote_value(const struct remote *remote, size_t offset);
pid_t remote_tid(const struct remote *remote);
