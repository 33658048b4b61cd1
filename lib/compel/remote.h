/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Threads of other processes that run our blob. An arena is memory shared with such processes; it holds the blob, a
 * slot for each thread and the plans. Two ways in: a parasite is a stopped thread of a living program (arena_invade,
 * parasite_*), a restorer is a thread that we made.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "blob/abi/steps.h"

struct plan;
struct arena;
struct remote;

/* --- any remote --- */

/* Hands over a plan and lets it run. The plan may be reset or destroyed only after remote_wait(). */
int remote_post(struct remote *remote, const struct plan *plan);
/* Waits until the posted plan is done. A failed step is reported with its reason: fail(). */
int remote_wait(struct remote *remote, const struct deadline *deadline);
int remote_run(struct remote *remote, const struct plan *plan, const struct deadline *deadline);
/* The same for one that is not there yet, and finds it when it comes: nobody is woken. */
int remote_post_unborn(struct remote *remote, const struct plan *plan);
/*
 * As remote_post(), for one that is waited for only after others were seen to: remote_run() hears of it first, if it
 * has another plan for the thread meanwhile. Its results are lost then.
 */
int remote_post_ahead(struct remote *remote, const struct plan *plan);
/* The plan that was posted ahead, if any, is about to go: nobody asks how it went. */
void remote_forget(struct remote *remote);
/* Waits until a plan that may have been posted is done, however it went. */
int remote_await_idle(struct remote *remote, const struct deadline *deadline);
/* Data of the plan that was run last, as the thread left it. Valid until the next post. */
const void *remote_result(const struct remote *remote, size_t offset);
/* Result kept by plan_keep_result(). */
int64_t remote_value(const struct remote *remote, size_t offset);
pid_t remote_tid(const struct remote *remote);

/* Room in the arena, aligned to 64. Returns NULL when the arena is full. */
void *arena_alloc(struct arena *arena, size_t size);
uint64_t arena_address(const struct arena *arena, const void *local);
/* Sets up the first page (blob, wakeup). */
void arena_init(struct arena *arena);
struct remote *arena_add_remote(struct arena *arena, enum slot_role role);
void arena_destroy(struct arena *arena);
/* The thread of a restorer has ended, even if nobody has reaped it. */
bool remote_is_dead(const struct remote *remote);

/* A thread that runs the blob rings when it has come that far: await, look, sleep, look, ..., and forget. */
void arena_await(struct remote *remote);
void arena_forget(struct arena *arena);
uint32_t arena_rung(const struct arena *arena);
/* Sleeps until it rings again after it was `seen` or some time has passed. Returns whether it rang. */
bool arena_sleep(struct arena *arena, uint32_t seen, unsigned microseconds);
