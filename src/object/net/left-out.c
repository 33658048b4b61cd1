/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --empty-ns net: whoever restores the network namespace of the root furnishes it. runc and docker always ask for it.
 * What needs nobody is kept all the same, sysctls and the loopback device; and so is all, if one of the devices is
 * named by --external veth[IN], macvlan[IN] or netdev[IN]: it is wanted then.
 *
 * An engine gives devices that lead to the outside. What a container has made of its own (the bridge of a docker in
 * docker, and what leads from there to its containers) nobody else can make again: it is kept with its addresses and
 * routes, and the rules. It is made before the engine comes, as devices that are moved into a namespace take another
 * number if theirs is taken.
 */
#include "object/net/left-out.h"

#include <libmnl/libmnl.h>
#include <sched.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/vector.h"
#include "kern/net/netlink.h"
#include "object/namespace/namespace.h"
#include "options/options.h"
#include "session/loss.h"

static bool is_named(const struct options *options, const char *name)
{
	return link_external(options, "veth", name) || link_external(options, "macvlan", name) ||
	       link_external(options, "netdev", name);
}

/* Who makes a namespace has not made these. */
static bool is_there_by_itself(const struct net_link *link)
{
	return link_loopback_kind.is(link) || link_fallback_kind.is(link);
}

/* By itself: what stands on it, in this namespace, is another matter. */
static bool leads_outside(const struct net_view *view, const struct net_link *link)
{
	uint32_t nsid;

	if (is_there_by_itself(link))
		return false;
	if (!net_link_kind(link)) /* hardware, or what only others know */
		return true;
	if (!link->attribute[IFLA_LINK_NETNSID])
		return false;
	nsid = mnl_attr_get_u32(link->attribute[IFLA_LINK_NETNSID]);
	for (size_t i = 0; i < view->n_peers; i++)
		if ((uint32_t)view->peers[i].nsid == nsid)
			return false;
	return true;
}

static bool stands_on_given(const struct net_link *link, const struct net_given *given)
{
	return link->attribute[IFLA_LINK] && !link->attribute[IFLA_LINK_NETNSID] &&
	       net_is_given(given, mnl_attr_get_u32(link->attribute[IFLA_LINK]));
}

static void find_given(const struct net_view *view, const struct net_links *links, struct net_given *given)
{
	size_t before;

	given->numbers = pool_array(view->d->pool, uint32_t, links->n);
	do {
		before = given->n;
		for (size_t i = 0; i < links->n; i++) {
			const struct net_link *link = &links->items[i];

			if (!net_is_given(given, (uint32_t)link->index) &&
			    (leads_outside(view, link) || stands_on_given(link, given)))
				given->numbers[given->n++] = (uint32_t)link->index;
		}
	} while (given->n > before);
}

static void tell_lost(const struct net_view *view, const struct net_links *links, const struct net_space *space)
{
	AUTO(buffer_done) struct buffer names = { 0 };
	const char *first = NULL;

	for (size_t i = 0; i < links->n; i++) {
		const struct net_link *link = &links->items[i];

		if (!net_is_given(&space->given, (uint32_t)link->index))
			continue;
		buffer_printf(&names, "%s%s", first ? ", " : "", link->name);
		first = first ?: link->name;
	}
	if (first)
		dump_report_loss(view->d,
				 "%s, with addresses%s: left to whoever restores, as --empty-ns net asks; with "
				 "--external veth[%s] (in /etc/criu/runc.conf for runc) they are kept",
				 names.data, space->empty ? ", routes and rules" : " and routes", first);
}

int net_left_out_collect(struct net_view *view, struct net_space *space)
{
	struct net_links links = { 0 };
	bool named = false, own = false;
	int error = rtnetlink_links(view->netlink, view->d->pool, &links);

	if (error < 0)
		return fail(-error, "asking for the network devices");
	for (size_t i = 0; i < links.n; i++)
		named |= is_named(view->d->options, links.items[i].name);
	if (!named)
		find_given(view, &links, &space->given);
	for (size_t i = 0; i < links.n; i++)
		own |= !is_there_by_itself(&links.items[i]) &&
		       !net_is_given(&space->given, (uint32_t)links.items[i].index);
	space->empty = !named && !own;
	space->furnished = !named && own;
	space->entry->has_left_out = space->entry->left_out = !named;
	if (named)
		log_info("Network namespace %u is saved whole: one of its devices is named by --external", view->id);
	else
		tell_lost(view, &links, space);
	vector_done(&links);
	return 0;
}

void net_left_out_load(const struct options *options, const struct namespace *ns, struct net_space *space)
{
	bool left = space->entry->left_out, named = false;
	size_t kept = 0;

	for (size_t i = 0; i < space->devices.n; i++) {
		named |= is_named(options, space->devices.items[i]->name);
		space->furnished |= left && space->devices.items[i]->type != ND_TYPE__LOOPBACK;
	}
	space->empty = left ? !space->furnished : ns->of_root && options->empty_ns & CLONE_NEWNET && !named;
	for (size_t i = 0; i < space->devices.n && space->empty; i++)
		if (space->devices.items[i]->type == ND_TYPE__LOOPBACK)
			space->devices.items[kept++] = space->devices.items[i];
	if (space->empty)
		space->devices.n = kept;
}
