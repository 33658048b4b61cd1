/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Link-local IPv6 addresses that the kernel has made out of a secret of their device (IFA_F_STABLE_PRIVACY): they get
 * another number when a neighbour has theirs already. rtnetlink cannot set the mark: with the same secret the kernel
 * makes the same address again. Devices without a hardware address (xfrm, tun, gre, ...) have such ones by themselves.
 */
#include "kern/net/stable-address.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/grace.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"

#define CONF6	    "/proc/sys/net/ipv6/conf"
#define PATH_SIZE   96
#define VALUE_SIZE  64
#define MODE_NONE   "1" /* IN6_ADDR_GEN_MODE_NONE */
#define MODE_RANDOM 3	/* IN6_ADDR_GEN_MODE_RANDOM */
#define STEP_MS	    2

bool marked_address_read(const struct nlmsghdr *message, struct marked_address *ret)
{
	const struct nlattr *parts[IFA_MAX + 1] = { 0 };
	const struct nlattr *address;

	ret->header = mnl_nlmsg_get_payload(message);
	if (ret->header->ifa_family != AF_INET6)
		return false;
	rtnetlink_parse(message, sizeof(*ret->header), parts, IFA_MAX + 1);
	address = parts[IFA_LOCAL] ? parts[IFA_LOCAL] : parts[IFA_ADDRESS];
	if (!address || mnl_attr_get_payload_len(address) != sizeof(*ret->address))
		return false;
	ret->address = mnl_attr_get_payload(address);
	ret->flags = parts[IFA_FLAGS] && mnl_attr_get_payload_len(parts[IFA_FLAGS]) == sizeof(ret->flags)
			     ? mnl_attr_get_u32(parts[IFA_FLAGS])
			     : ret->header->ifa_flags;
	return true;
}

bool marked_address_is_of_secret(const struct marked_address *marked)
{
	return marked->flags & IFA_F_STABLE_PRIVACY && marked->header->ifa_scope == RT_SCOPE_LINK;
}

static const char *conf_path(char *capacity, const char *device, const char *name)
{
	snprintf(capacity, PATH_SIZE, CONF6 "/%.16s/%s", device, name);
	return capacity;
}

/* Without one of its own a device takes that of the namespace. */
bool stable_address_has_secret(const char *device)
{
	char path[PATH_SIZE], value[VALUE_SIZE];

	return file_read_text(AT_FDCWD, conf_path(path, device, "stable_secret"), value, sizeof(value)) > 0 ||
	       file_read_text(AT_FDCWD, conf_path(path, "default", "stable_secret"), value, sizeof(value)) > 0;
}

/* Whether the kernel has this address with that mark, and has it ready. */
static bool is_there(struct netlink *netlink, const struct marked_address *wanted)
{
	const struct ifaddrmsg header = { .ifa_family = AF_INET6 };
	AUTO(buffer_done) struct buffer now = { 0 };
	const struct nlmsghdr *message;
	struct marked_address marked;

	if (rtnetlink_dump(netlink, RTM_GETADDR, &header, sizeof(header), NULL, &now) < 0)
		return false;
	rtnetlink_for_each(message, now.data, now.size)
	{
		if (marked_address_read(message, &marked) && marked.header->ifa_index == wanted->header->ifa_index &&
		    marked.flags & IFA_F_STABLE_PRIVACY && !(marked.flags & IFA_F_TENTATIVE) &&
		    !memcmp(marked.address, wanted->address, sizeof(*wanted->address)))
			return true;
	}
	return false;
}

/* Writing a mode here makes an address at once, as rtnetlink does not. It is made ready a moment later. */
static bool make_address(struct netlink *netlink, const char *device, uint32_t mode,
			 const struct marked_address *wanted)
{
	char path[PATH_SIZE];
	bool is_made = false;
	int error;

	conf_path(path, device, "addr_gen_mode");
	error = file_write_text(AT_FDCWD, path, mode == MODE_RANDOM ? "3" : "2");
	for (int waited = 0; !error && !is_made && waited < GRACE_ADDRESS_MS; waited += STEP_MS) {
		if (waited)
			poll(NULL, 0, STEP_MS);
		is_made = is_there(netlink, wanted);
	}
	(void)file_write_text(AT_FDCWD, path, MODE_NONE);
	return is_made;
}

/* Nobody else had it meanwhile: the kernel need not ask the neighbours, which takes a second. Both settings count. */
bool stable_address_make(struct netlink *netlink, const char *device, uint32_t mode,
			 const struct marked_address *wanted)
{
	char own_path[PATH_SIZE], all_path[PATH_SIZE], own[VALUE_SIZE], all[VALUE_SIZE];
	bool is_made;

	conf_path(own_path, device, "accept_dad");
	conf_path(all_path, "all", "accept_dad");
	if (file_read_text(AT_FDCWD, own_path, own, sizeof(own)) < 0 ||
	    file_read_text(AT_FDCWD, all_path, all, sizeof(all)) < 0)
		return false;
	(void)file_write_text(AT_FDCWD, own_path, "0");
	(void)file_write_text(AT_FDCWD, all_path, "0");
	is_made = make_address(netlink, device, mode, wanted);
	(void)file_write_text(AT_FDCWD, all_path, all);
	(void)file_write_text(AT_FDCWD, own_path, own);
	return is_made;
}
