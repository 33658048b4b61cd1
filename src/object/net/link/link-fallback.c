/* SPDX-License-Identifier: GPL-2.0-only */
/* Tunnel devices that the kernel itself puts into every namespace when the module of their kind is there: tunl0, sit0,
 * ... */
#include <errno.h>
#include <string.h>

#include "base/fail.h"
#include "base/pool.h"
#include "object/net/link/link-restore.h"
#include "object/net/link/link.h"

static const char *const names[] = { "tunl0",	"gre0",	   "gretap0", "erspan0",  "sit0",
				     "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0", NULL };

static bool has_name(const char *name)
{
	for (const char *const *known = names; *known; known++)
		if (!strcmp(*known, name))
			return true;
	return false;
}

static bool is_fallback(const struct net_link *link)
{
	return link->kind && has_name(link->name);
}

static bool claims_fallback(const NetDeviceEntry *entry)
{
	return entry->kind && has_name(entry->name);
}

static int dump_fallback(struct net_view *view, const struct net_link *link, NetDeviceEntry *entry)
{
	entry->kind = pool_string(view->d->pool, link->kind);
	return 0;
}

/* With net.core.fb_tunnels_only_for_init_net the kernel makes none: one that takes the same packets does as well. */
static int make_fallback(struct net_fill *fill, const NetDeviceEntry *entry)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	struct nlmsghdr *request = link_begin(capacity, entry);

	link_put_info(request, entry->kind, NULL);
	return link_tell(fill, entry, request);
}

const struct link_kind link_fallback_kind = {
	.name = "tunnel of the kernel",
	.type = ND_TYPE__EXTLINK,
	.is = is_fallback,
	.claims = claims_fallback,
	.dump = dump_fallback,
	.make = make_fallback,
};
