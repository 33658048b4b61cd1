/* SPDX-License-Identifier: LGPL-2.1-only */
/* System calls that the kernel takes up again by restart_syscall(2), where their time limit is. */
#include "arch_timed.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "arch_regs.h"

#define SHORTEST_NS 1000000

bool arch_call_find_limit(uint64_t nr, const uint64_t args[6], struct arch_timed_wait *ret)
{
	switch (nr) {
#ifdef __NR_poll /* newer CPUs have ppoll only, whose time the kernel itself keeps */
	case __NR_poll:
		ret->limit_ms = (int)args[2];
		return ret->limit_ms > 0;
#endif
	case __NR_nanosleep:
		ret->limit = args[0];
		ret->left = args[1];
		return true;
	case __NR_clock_nanosleep:
		ret->limit = args[2];
		ret->left = args[3];
		return !(args[1] & TIMER_ABSTIME);
	case __NR_futex:
		ret->limit = args[3];
		return (args[1] & FUTEX_CMD_MASK) == FUTEX_WAIT && args[3];
	}
	return false;
}

bool arch_call_set_limit(uint64_t nr, uint64_t args[6], uint64_t room, uint64_t left_ns)
{
	switch (nr) {
#ifdef __NR_poll
	case __NR_poll:
		args[2] = left_ns / 1000000 < INT_MAX ? (left_ns + 999999) / 1000000 : INT_MAX;
		return true;
#endif
	case __NR_nanosleep:
		args[0] = room;
		return true;
	case __NR_clock_nanosleep:
		args[2] = room;
		return !(args[1] & TIMER_ABSTIME);
	case __NR_futex:
		args[3] = room;
		return (args[1] & FUTEX_CMD_MASK) == FUTEX_WAIT;
	}
	return false;
}

uint64_t arch_call_shortest(uint64_t left_ns)
{
	return left_ns < SHORTEST_NS ? SHORTEST_NS : left_ns;
}
