/* SPDX-License-Identifier: GPL-2.0-only */
/* What an internet socket has that cannot be given to another one: told, or refused where it protects the connection.
 */
#include "object/socket/inet/hidden.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/tcp.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "kern/net/netlink.h"
#include "kern/net/sockdiag.h"
#include "object/file/file.h"
#include "object/socket/socket.h"
#include "object/socket/view.h"
#include "session/loss.h"

#define TCP_AO_INFO_ 40 /* linux/tcp.h, Linux 6.7 */

static int refuse_keys(const char *option)
{
	return refuse(EOPNOTSUPP,
		      "its packets are signed (%s), which cannot be restored yet: without it anybody could take the "
		      "connection over",
		      option);
}

/* The keys of TCP_MD5SIG are shown by sock_diag alone, and not of a socket that has no port yet. */
static int check_signatures(int fd, const struct inet_diag *diag)
{
	char info[64] = { 0 };
	socklen_t size = sizeof(info);

	if (diag && diag->is_signed)
		return refuse_keys("TCP_MD5SIG");
	return getsockopt(fd, IPPROTO_TCP, TCP_AO_INFO_, info, &size) == 0 ? refuse_keys("TCP-AO") : 0;
}

/* With no room for it the kernel only says whether it is there; a look would take it away. */
static bool has_saved_syn(int fd)
{
	socklen_t size = 0;
	char nothing;

	return getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, &nothing, &size) < 0 && errno == EINVAL && size;
}

static void tell_urgent(const struct dump *d, const struct open_file *of)
{
	struct pollfd state = { .fd = of->fd, .events = POLLPRI };

	if (poll(&state, 1, 0) > 0 && state.revents == POLLPRI && socket_is_on(of->fd, SOL_SOCKET, SO_OOBINLINE))
		dump_report_loss(d, "which of the unread bytes is urgent (MSG_OOB)");
}

/* Of sockets that share a port. False: it cannot be seen. */
static bool sees_choice(const struct dump *d, int fd, bool *ret)
{
	const char *why;
	struct kernel_view *view = kernel_view_get(d, &why);
	uint64_t group = 0, program = 0;

	if (!view ||
	    !kernel_view_read(view, socket_view_sock(view, fd), "sock", "sk_reuseport_cb", &group, sizeof(group)))
		return false;
	if (group && !kernel_view_read(view, group, "sock_reuseport", "prog", &program, sizeof(program)))
		return false;
	*ret = program;
	return true;
}

/* The kernel shows the program to nobody. A socket that has its port alone needs none. */
static int tell_choice(const struct dump *d, const struct open_file *of, const InetSkEntry *entry)
{
	const struct socket_identity identity = { (int)entry->family, (int)entry->type, (int)entry->proto };
	bool shared = false;

	if (!entry->src_port || !socket_is_on(of->fd, SOL_SOCKET, SO_REUSEPORT))
		return 0;
	if (sees_choice(d, of->fd, &shared)) {
		if (shared)
			dump_report_loss(d,
					 "the program that chooses among the sockets of port %u "
					 "(SO_ATTACH_REUSEPORT_CBPF, _EBPF)",
					 entry->src_port);
		return 0;
	}
	TRY(socket_shares_name(d, &identity, entry->ino, &shared));
	if (shared)
		dump_report_loss(d,
				 "the program that chooses among the sockets of port %u "
				 "(SO_ATTACH_REUSEPORT_CBPF, _EBPF), if there is one",
				 entry->src_port);
	return 0;
}

/* A lease is the socket's own; the kernel lists only which there are in the network namespace that we are in. */
static void tell_flow_labels(const struct dump *d, const InetSkEntry *entry, uint32_t *seen)
{
	char text[256];
	ssize_t size;
	const char *line;

	if (entry->family != AF_INET6 || *seen == entry->ns_id)
		return;
	*seen = entry->ns_id;
	size = file_read_text(AT_FDCWD, "/proc/thread-self/net/ip6_flowlabel", text, sizeof(text));
	line = size > 0 ? strchr(text, '\n') : NULL;
	if (size == -EFBIG || (line && line[1]))
		dump_report_loss(d, "the flow labels that it, or another socket of its network namespace, has leased "
				    "(IPV6_FLOWLABEL_MGR)");
}

static int take_counts(void *arg, const struct nlmsghdr *message)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(uint32_t))
	{
		const struct xfrmu_spdinfo *counts = mnl_attr_get_payload(attr);

		if (mnl_attr_get_type(attr) == XFRMA_SPD_INFO && mnl_attr_get_payload_len(attr) >= sizeof(*counts))
			*(bool *)arg = counts->inscnt || counts->outscnt;
	}
	return 0;
}

/* Sockets of the namespace that we are in. */
static bool have_policies(void)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	char buffer[MNL_NLMSG_HDRLEN + 64] = { 0 };
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	bool any = false;

	header->nlmsg_type = XFRM_MSG_GETSPDINFO;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	(void)mnl_nlmsg_put_extra_header(header, sizeof(uint32_t));
	if (netlink_open(NETLINK_XFRM, &netlink) == 0)
		(void)netlink_ask(netlink, header, take_counts, &any);
	return any;
}

/* The kernel lists them without their sockets. */
static void tell_policies(const struct dump *d, const struct open_file *of, const InetSkEntry *entry,
			  struct hidden_seen *seen)
{
	struct kernel_view *view;
	uint64_t own[2] = { 1, 1 };
	const char *why;

	if (!seen->policies_asked || seen->policies_ns != entry->ns_id) {
		seen->policies_asked = true;
		seen->policies_ns = entry->ns_id;
		seen->policies = have_policies();
	}
	if (!seen->policies)
		return;
	view = kernel_view_get(d, &why);
	if (view)
		(void)kernel_view_read(view, socket_view_sock(view, of->fd), "sock", "sk_policy", own, sizeof(own));
	if (own[0] || own[1])
		dump_report_loss(d, "the IPsec policies that it%s has (IP_XFRM_POLICY)",
				 view ? "" : ", or another socket of its network namespace,");
}

/* Whose socket it is, and what it was told, is to be seen in no table. */
static void tell_multicast_routing(const struct dump *d, const InetSkEntry *entry)
{
	const bool v6 = entry->family == AF_INET6;
	char text[16];

	if (entry->type != SOCK_RAW || entry->proto != (v6 ? IPPROTO_ICMPV6 : IPPROTO_IGMP))
		return;
	if (file_read_text(AT_FDCWD,
			   v6 ? "/proc/sys/net/ipv6/conf/all/mc_forwarding"
			      : "/proc/sys/net/ipv4/conf/all/mc_forwarding",
			   text, sizeof(text)) > 0 &&
	    text[0] != '0')
		dump_report_loss(d, "multicast routing, which it, or another socket of its network namespace, does "
				    "(MRT_INIT)");
}

int hidden_dump(const struct dump *d, const struct open_file *of, const struct inet_diag *diag,
		const InetSkEntry *entry, struct hidden_seen *seen)
{
	if (entry->type == SOCK_STREAM) {
		TRY(check_signatures(of->fd, diag));
		if (has_saved_syn(of->fd))
			dump_report_loss(d, "the packet that its connection began with (TCP_SAVED_SYN)");
		tell_urgent(d, of);
	}
	socket_tell_error(d, of);
	tell_flow_labels(d, entry, &seen->labels_ns);
	tell_policies(d, of, entry, seen);
	tell_multicast_routing(d, entry);
	return tell_choice(d, of, entry);
}
