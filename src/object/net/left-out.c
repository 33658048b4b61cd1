/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --empty-ns net: whoever restores a network namespace furnishes it. runc and docker always ask for it. What needs
 * nobody is kept all the same, sysctls and the loopback device; and so is all, if one of the devices is named by
 * --external veth[IN], macvlan[IN] or netdev[IN]: it is wanted then.
 */
#include "object/net/left-out.h"

#include <sched.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/vector.h"
#include "kern/net/netlink.h"
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

int net_left_out_collect(struct net_view *view, struct net_space *space)
{
	AUTO(buffer_done) struct buffer names = { 0 };
	const char *first = NULL;
	struct net_links links = { 0 };
	int error = rtnetlink_links(view->netlink, view->d->pool, &links);

	space->empty = true;
	for (size_t i = 0; i < links.n; i++) {
		const struct net_link *link = &links.items[i];

		space->empty &= !is_named(view->d->options, link->name);
		if (is_there_by_itself(link))
			continue;
		buffer_printf(&names, "%s%s", first ? ", " : "", link->name);
		first = first ?: link->name;
	}
	vector_done(&links);
	if (error < 0)
		return fail(-error, "asking for the network devices");
	space->entry->has_left_out = space->entry->left_out = space->empty;
	if (!space->empty)
		log_info("Network namespace %u is saved whole: one of its devices is named by --external", view->id);
	else if (first)
		dump_report_loss(view->d,
				 "%s, with addresses, routes and rules: left to whoever restores, as "
				 "--empty-ns net asks; with --external veth[%s] (in /etc/criu/runc.conf for runc) "
				 "they are kept",
				 names.data, first);
	return 0;
}

void net_left_out_load(const struct options *options, struct net_space *space)
{
	size_t kept = 0;

	space->empty = space->entry->left_out || options->empty_ns & CLONE_NEWNET;
	for (size_t i = 0; i < space->devices.n && !space->entry->left_out; i++)
		if (is_named(options, space->devices.items[i]->name))
			space->empty = false;
	for (size_t i = 0; i < space->devices.n && space->empty; i++)
		if (space->devices.items[i]->type == ND_TYPE__LOOPBACK)
			space->devices.items[kept++] = space->devices.items[i];
	if (space->empty)
		space->devices.n = kept;
}
