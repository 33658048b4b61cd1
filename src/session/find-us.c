/* SPDX-License-Identifier: GPL-2.0-only */
/* How a new task finds the coordinator. */
#include <fcntl.h>
#include <unistd.h>

#include "plan/plan.h"
#include "session/session.h"

void restore_plan_find_us(const struct restore *r, struct plan *plan, unsigned slot)
{
	struct step *step;

	/* In a pid namespace of its own it can't see us. */
	if (r->us > 0)
		step = plan_syscall(plan, "find criu", __NR_fcntl, V(r->us), V(F_DUPFD_CLOEXEC), V(0));
	else
		step = plan_syscall(plan, "find criu", __NR_pidfd_open, V(getpid()), V(0));
	step->to_slot = (uint8_t)slot;
}

void restore_plan_close_all(const struct restore *r, struct plan *plan, int but)
{
	int us = r->us > 0 ? r->us : -1, low = but, high = us;

	if (low < 0 || (high >= 0 && high < low)) {
		low = us;
		high = but;
	}
	if (low > 0)
		plan_syscall(plan, "close all descriptors", __NR_close_range, V(0), V(low - 1), V(0));
	if (high > low + 1)
		plan_syscall(plan, "close all descriptors", __NR_close_range, V(low + 1), V(high - 1), V(0));
	high = high > low ? high : low;
	plan_syscall(plan, "close all descriptors", __NR_close_range, V(high + 1), V(~0u), V(0));
}
