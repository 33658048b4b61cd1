/* SPDX-License-Identifier: GPL-2.0-only */
/* Chains of seccomp filters: checked, walked, turned into steps. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "seccomp.pb-c.h"

struct plan;
struct pool;

/* Indices of filters, the oldest first. */
struct seccomp_chain {
	uint32_t *filters;
	size_t n;
};

/* Every chain ends, every filter has a possible size. -EINVAL (logged) if not. */
int seccomp_check_filters(const SeccompEntry *record);
/* The chain whose newest filter is the given one; the record was checked. */
struct seccomp_chain seccomp_chain(struct pool *pool, const SeccompEntry *record, uint32_t newest);
/* Installs a filter in the thread that runs the plan, or with sync in all threads of its process. */
void seccomp_plan_filter(struct plan *plan, const SeccompFilter *filter, bool sync);
