/* SPDX-License-Identifier: GPL-2.0-only */
/* How a new task finds the coordinator. */
#include <fcntl.h>
#include <unistd.h>

#include "plan/plan.h"
#include "session/session.h"

void restore_plan_find_us(const struct restore *r, struct plan *plan, unsigned slot)
{
	struct step *step;

	/* In a pid namespace of its own it cannot see us. */
	if (r->us > 0)
		step = plan_syscall(plan, "find criu", __NR_fcntl, V(r->us), V(F_DUPFD_CLOEXEC), V(0));
	else
		step = plan_syscall(plan, "find criu", __NR_pidfd_open, V(getpid()), V(0));
	step->to_slot = (uint8_t)slot;
}

void restore_plan_close_all(const struct restore *r, struct plan *plan)
{
	int us = r->us > 0 ? r->us : -1;

	if (us > 0)
		plan_syscall(plan, "close all descriptors", __NR_close_range, V(0), V(us - 1), V(0));
	plan_syscall(plan, "close all descriptors", __NR_close_range, V(us + 1), V(~0u), V(0));
}
