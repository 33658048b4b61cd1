/* SPDX-License-Identifier: GPL-2.0-only */
/* The loopback device: every namespace has one from the beginning. */
#include <net/if_arp.h>

#include "object/net/link/link.h"

static bool is_loopback(const struct net_link *link)
{
	return link->type == ARPHRD_LOOPBACK && !link->kind;
}

const struct link_kind link_loopback_kind = {
	.name = "loopback",
	.type = ND_TYPE__LOOPBACK,
	.is = is_loopback,
};
