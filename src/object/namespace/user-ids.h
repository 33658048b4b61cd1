/* SPDX-License-Identifier: GPL-2.0-only */
/* Ids in user namespaces within that of the root. */
#pragma once

#include <stdbool.h>

#include "creds.pb-c.h"

bool user_same_groups(const CredsEntry *a, const CredsEntry *b);
