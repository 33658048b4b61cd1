/* SPDX-License-Identifier: LGPL-2.1-only */
/* System calls with a time limit, by their numbers in 64-bit programs; inside of arch/ only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arch_timed_wait;

/* include/linux/errno.h */
#define ARCH_ERESTART_RESTARTBLOCK 516

/* Where the limit of the call is. False: it has none, or one that is a point in time. */
bool arch_call_find_limit(uint64_t nr, const uint64_t args[6], struct arch_timed_wait *ret);
/* Makes it wait so long: room is the address of the time as the program has it. False: no such call. */
bool arch_call_set_limit(uint64_t nr, uint64_t args[6], uint64_t room, uint64_t left_ns);
/* One that were over before it is interrupted would leave nothing. */
uint64_t arch_call_shortest(uint64_t left_ns);
