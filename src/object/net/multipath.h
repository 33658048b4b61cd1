/* SPDX-License-Identifier: GPL-2.0-only */
/* The addresses that a network namespace offers to connections of Multipath TCP, and their limits (ip-mptcp(8)). */
#pragma once

#include "netdev.pb-c.h"

struct dump;

/* Of the namespace that we are in. */
int net_multipath_collect(const struct dump *d, NetnsEntry *entry);
int net_multipath_check(const NetnsEntry *entry);
/* When its devices and addresses are there. */
int net_multipath_restore(const NetnsEntry *entry);
