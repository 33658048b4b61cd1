/* SPDX-License-Identifier: GPL-2.0-only */
/* IPsec of a network namespace: security associations and policies (ip-xfrm(8)). */
#pragma once

#include "netdev.pb-c.h"

struct dump;

/* Of the namespace that we are in. */
int net_ipsec_collect(const struct dump *d, NetnsEntry *entry);
int net_ipsec_check(const NetnsEntry *entry);
/* When its devices are there, and nothing of ours is to be sent any more: it would not be let through. */
int net_ipsec_restore(const NetnsEntry *entry);
