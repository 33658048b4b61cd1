/* SPDX-License-Identifier: LGPL-2.1-only */
/* Small processes that outlive us, should we be killed, and put right what cannot stay as it is. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/*
 * Called by the guard itself, first of all. Who kills criu, by its name, its command line or its process group, shall
 * not hit its guard as well; and the kernel shall not take it for the large process that it is a copy of.
 */
void guard_stand_apart(const char *name);

/* Called by the guard when it is at its post; the word is shared with us, and 0 before. */
void guard_report(uint32_t *ready);
/* Waits for that. 0, or -ECHILD (reported) if it has died. */
int guard_await(uint32_t *ready, pid_t guard);
/* Not needed any more: it ends, and is reaped. */
void guard_dismiss(pid_t guard);
/* The same in two steps: it ends while we do something else. Each once. */
void guard_send_away(pid_t guard);
void guard_reap(pid_t guard);
