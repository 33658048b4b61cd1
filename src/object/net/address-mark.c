/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks of IPv6 addresses that only the kernel sets: rtnetlink ignores them. Of a secret (IFA_F_STABLE_PRIVACY,
 * kern/net/stable-address.c), and a temporary one (IFA_F_TEMPORARY), which is preferred for connections and followed by
 * the next one.
 */
#include "object/net/address-mark.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <net/if.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "kern/net/rtnetlink.h"
#include "kern/net/stable-address.h"
#include "object/net/address.h"
#include "object/net/link/link.h"
#include "object/net/link/link-restore.h"
#include "session/loss.h"

static void report_mark(struct net_view *view, const struct marked_address *marked)
{
	char text[INET6_ADDRSTRLEN], device[IF_NAMESIZE];

	if (!if_indextoname(marked->header->ifa_index, device) ||
	    !inet_ntop(AF_INET6, marked->address, text, sizeof(text)))
		return;
	if (marked->flags & IFA_F_TEMPORARY)
		dump_report_loss(
			view->d,
			"network namespace %u: that address %s of %s is a temporary one: it is an ordinary one "
			"afterwards, and the kernel may make another one beside it",
			view->id, text, device);
	else if (!marked_address_is_of_secret(marked) || !stable_address_has_secret(device))
		dump_report_loss(view->d,
				 "network namespace %u: that address %s of %s was made by the kernel out of a secret "
				 "(stable-privacy): it is an ordinary one afterwards",
				 view->id, text, device);
}

/* Where the kernel has no IPv6 there are none. */
void net_address_marks_report(struct net_view *view, const struct net_given *given)
{
	const struct ifaddrmsg header = { .ifa_family = AF_INET6 };
	AUTO(buffer_done) struct buffer addresses = { 0 };
	const struct nlmsghdr *message;
	struct marked_address marked;

	if (rtnetlink_dump(view->netlink, RTM_GETADDR, &header, sizeof(header), NULL, &addresses) < 0)
		return;
	rtnetlink_for_each(message, addresses.data, addresses.size)
	{
		if (marked_address_read(message, &marked) && !net_is_given(given, marked.header->ifa_index) &&
		    marked.flags & (IFA_F_STABLE_PRIVACY | IFA_F_TEMPORARY))
			report_mark(view, &marked);
	}
}

int net_address_marks_restore(struct net_fill *fill, const struct net_tables *tables)
{
	const struct nlmsghdr *message;
	struct marked_address marked;

	rtnetlink_for_each(message, tables->addresses.data, tables->addresses.size)
	{
		const NetDeviceEntry *device;

		if (!marked_address_read(message, &marked) || !marked_address_is_of_secret(&marked))
			continue;
		device = link_find(fill->devices, fill->n_devices, marked.header->ifa_index);
		if (!device)
			continue;
		LOG_SCOPE("network device %s", device->name);
		/* The address itself is set with the others, however this ends. */
		if (!device->has_addr_gen_mode || !(device->flags & IFF_UP) ||
		    !stable_address_make(fill->netlink, device->name, device->addr_gen_mode, &marked))
			log_warn("The kernel does not make its link-local address again: it is an ordinary one now "
				 "(not stable-privacy)");
	}
	return 0;
}
