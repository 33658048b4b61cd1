/* SPDX-License-Identifier: GPL-2.0-only */
/* What this program itself has: new tasks inherit it, and more cannot be given away. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "session/session.h"

struct restore_self {
	struct proc_status status;
	uint32_t securebits;
	struct rlimit limits[RLIM_NLIMITS];
	uint32_t loginuid;	  /* UINT32_MAX = unset */
	uint64_t default_actions; /* 0 = not asked yet */
	/* What new tasks have of criu, until that of one is changed: the kernel changes it for all that share its
	   memory. Its files are not read then. */
	struct restore_inherited {
		bool is_known, is_changed;
		int64_t value;
	} oom_score, core_filter;
	bool exact_timer_ids; /* PR_TIMER_CREATE_RESTORE_IDS, Linux 6.15 */
};

/*
 * Bit n - 1: signal n has its default action now. Ask after the tasks were made: the C library sets some when it makes
 * threads, and nobody takes them back.
 */
uint64_t self_default_actions(struct restore *r);

/* NULL before self_read(). */
struct restore_self *restore_self_of(const struct restore *r);
int self_read(const struct restore *r);
