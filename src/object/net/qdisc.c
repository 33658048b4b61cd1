/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queueing disciplines (tc(8)), with their classes and filters, are not saved. Those that somebody has set have a
 * handle; the ones that the kernel gives a device by itself have none.
 */
#include "object/net/qdisc.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "base/buffer.h"
#include "base/fail.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"
#include "object/net/link/link-restore.h"
#include "object/net/link/link.h"
#include "session/loss.h"

static void report_qdisc(struct net_view *view, const struct nlmsghdr *message, const struct net_devices *devices)
{
	const struct tcmsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *parts[TCA_MAX + 1] = { 0 };
	const NetDeviceEntry *device = link_find(devices->items, devices->n, (uint32_t)head->tcm_ifindex);

	if (!TC_H_MAJ(head->tcm_handle) || !device)
		return;
	rtnetlink_parse(message, sizeof(*head), parts, TCA_MAX + 1);
	dump_report_loss(view->d,
			 "network namespace %u: network device %s: the queueing discipline %s (tc qdisc) is not saved; "
			 "set it again after the restore, e.g. by an action script",
			 view->id, device->name, parts[TCA_KIND] ? mnl_attr_get_str(parts[TCA_KIND]) : "?");
}

int net_qdiscs_report(struct net_view *view, const struct net_devices *devices)
{
	const struct tcmsg header = { .tcm_family = AF_UNSPEC };
	struct buffer raw = { 0 };
	const struct nlmsghdr *message;
	int error = rtnetlink_dump(view->netlink, RTM_GETQDISC, &header, sizeof(header), NULL, &raw);

	if (error == 0)
		rtnetlink_for_each(message, raw.data, raw.size) report_qdisc(view, message, devices);
	buffer_done(&raw);
	/* A kernel without CONFIG_NET_SCHED has none. */
	return error == 0 || error == -EOPNOTSUPP ? 0 : fail(-error, "asking for the queueing disciplines");
}
