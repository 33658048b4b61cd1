/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of the network lock in iptables: for images that other programs restore. */
#pragma once

#include <stdbool.h>

struct connections;

bool iptables_is_there(void);
int iptables_lock(const struct connections *connections);
/* A chain that drops all packets but those with libsoccr's mark. */
int iptables_cut_off(void);
/* whole: that chain as well. Rules that are not there are as good: 0 if there were none at all, else 1. */
int iptables_unlock(const struct connections *connections, bool whole);
