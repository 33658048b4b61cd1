/* SPDX-License-Identifier: GPL-2.0-only */
/* Credentials in a form that can be compared and turned into steps. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "creds.pb-c.h"
#include "kern/proc/status.h"

struct credentials {
	uint32_t uid[4], gid[4]; /* real, effective, saved, file system */
	const uint32_t *groups;
	size_t n_groups;
	uint64_t inheritable, permitted, effective, bounding, ambient; /* bit n is capability n */
	uint32_t securebits;
	bool no_new_privs;
};

/* Points into the record. -EINVAL (logged) for a garbled one. */
int credentials_from_record(const CredsEntry *record, struct credentials *to);
/* Points into the status. */
void credentials_from_status(const struct proc_status *status, uint32_t securebits, struct credentials *to);
bool credentials_equal_groups(const struct credentials *a, const struct credentials *b);
/* Without no_new_privs, which is a matter of its own. */
bool credentials_equal(const struct credentials *a, const struct credentials *b);
/* Cuts what we cannot give, with a warning; refuses if the program itself would have less power than it had. */
int credentials_limit(struct credentials *want, const struct credentials *own);
