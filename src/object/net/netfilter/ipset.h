/* SPDX-License-Identifier: GPL-2.0-only */
/* IP sets (ipset(8)) of a network namespace. */
#pragma once

#include "netdev.pb-c.h"

struct dump;

/* Of the network namespace that this thread is in: into the record. */
int net_ipsets_collect(const struct dump *d, NetnsEntry *entry);
int net_ipsets_check(const NetnsEntry *entry);
/* Before the rules that name them. */
int net_ipsets_restore(const NetnsEntry *entry);
