/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IPsec of a network namespace: security associations with keys, replay windows and lifetimes, and policies. The kernel
 * is given again what it has told. Without them packets would go in clear.
 */
#include "object/net/ipsec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/pool.h"
#include "kern/net/netlink.h"
#include "kern/net/rtnetlink.h"
#include "session/survey.h"

/* --- dump --- */

/* Those that compression brings along come again with it. */
static bool want_state(const struct nlmsghdr *message)
{
	const struct xfrm_usersa_info *info = mnl_nlmsg_get_payload(message);

	return info->id.proto != IPPROTO_IPIP && info->id.proto != IPPROTO_IPV6;
}

/* Those above belong to sockets (IP_XFRM_POLICY). */
static bool want_policy(const struct nlmsghdr *message)
{
	const struct xfrm_userpolicy_info *info = mnl_nlmsg_get_payload(message);

	return info->dir < XFRM_POLICY_MAX;
}

/* Name, size of the key in bits, more; the key. */
static bool is_hidden(const struct nlattr *algorithm, size_t header)
{
	const char *key = mnl_attr_get_payload(algorithm);
	size_t size = mnl_attr_get_payload_len(algorithm);

	for (size_t i = header; i < size; i++)
		if (key[i])
			return false;
	return size > header;
}

/* A kernel that is locked down tells zeros for keys. */
static int check_state(const struct dump *d, const struct nlmsghdr *message)
{
	static const struct {
		uint16_t type;
		size_t header;
	} keys[] = {
		{ XFRMA_ALG_CRYPT, sizeof(struct xfrm_algo) },
		{ XFRMA_ALG_AUTH, sizeof(struct xfrm_algo) },
		{ XFRMA_ALG_AUTH_TRUNC, sizeof(struct xfrm_algo_auth) },
		{ XFRMA_ALG_AEAD, sizeof(struct xfrm_algo_aead) },
	};
	const struct nlattr *parts[RTNETLINK_ATTRIBUTES] = { 0 };
	const struct xfrm_usersa_info *info = mnl_nlmsg_get_payload(message);

	rtnetlink_parse(message, sizeof(*info), parts, RTNETLINK_ATTRIBUTES);
	if (parts[XFRMA_OFFLOAD_DEV])
		return refuse(EOPNOTSUPP,
			      "the IPsec state with the spi 0x%08x (ip xfrm state) is offloaded to a device: that "
			      "cannot be saved",
			      ntohl(info->id.spi));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (parts[keys[i].type] && is_hidden(parts[keys[i].type], keys[i].header))
			return refuse(
				EOPNOTSUPP,
				"the kernel does not tell the key of the IPsec state with the spi 0x%08x (ip xfrm "
				"state), as it is locked down (/sys/kernel/security/lockdown)",
				ntohl(info->id.spi));
	return 0;
}

static void keep_payloads(const struct dump *d, const struct buffer *messages, ProtobufCBinaryData **ret, size_t *ret_n)
{
	const struct nlmsghdr *message;
	size_t n = 0;

	rtnetlink_for_each(message, messages->data, messages->size) n++;
	*ret = pool_array(d->pool, ProtobufCBinaryData, n);
	*ret_n = n;
	n = 0;
	rtnetlink_for_each(message, messages->data, messages->size)
	{
		ProtobufCBinaryData *to = &(*ret)[n++];

		to->len = mnl_nlmsg_get_payload_len(message);
		to->data = pool_copy(d->pool, mnl_nlmsg_get_payload(message), to->len);
	}
}

static int dump_states(const struct dump *d, struct netlink *netlink, NetnsEntry *entry)
{
	AUTO(buffer_done) struct buffer messages = { 0 };
	const struct nlmsghdr *message;
	int error = rtnetlink_dump(netlink, XFRM_MSG_GETSA, "", 0, want_state, &messages);

	if (error < 0)
		return fail(-error, "asking for the IPsec states (ip xfrm state)");
	rtnetlink_for_each(message, messages.data, messages.size) TRY(dump_go_on(d, check_state(d, message)));
	keep_payloads(d, &messages, &entry->ipsec_states, &entry->n_ipsec_states);
	return 0;
}

static int dump_policies(const struct dump *d, struct netlink *netlink, NetnsEntry *entry)
{
	AUTO(buffer_done) struct buffer messages = { 0 };
	int error = rtnetlink_dump(netlink, XFRM_MSG_GETPOLICY, "", 0, want_policy, &messages);

	if (error < 0)
		return fail(-error, "asking for the IPsec policies (ip xfrm policy)");
	keep_payloads(d, &messages, &entry->ipsec_policies, &entry->n_ipsec_policies);
	return 0;
}

static int take_default(void *arg, const struct nlmsghdr *message)
{
	if (mnl_nlmsg_get_payload_len(message) >= sizeof(struct xfrm_userpolicy_default))
		memcpy(arg, mnl_nlmsg_get_payload(message), sizeof(struct xfrm_userpolicy_default));
	return 0;
}

/* What becomes of packets that no policy is for. */
static void dump_default(const struct dump *d, struct netlink *netlink, NetnsEntry *entry)
{
	char capacity[256] __attribute__((aligned(8)));
	struct xfrm_userpolicy_default ask = { 0 }, told = { 0 };

	if (netlink_ask(netlink, rtnetlink_begin(capacity, XFRM_MSG_GETDEFAULT, 0, &ask, sizeof(ask)), take_default,
			&told) < 0)
		return; /* Linux 5.14 has none */
	if (told.in != XFRM_USERPOLICY_BLOCK && told.fwd != XFRM_USERPOLICY_BLOCK && told.out != XFRM_USERPOLICY_BLOCK)
		return;
	entry->has_ipsec_default = true;
	entry->ipsec_default.len = sizeof(told);
	entry->ipsec_default.data = pool_copy(d->pool, &told, sizeof(told));
}

int net_ipsec_collect(const struct dump *d, NetnsEntry *entry)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	int error = netlink_open(NETLINK_XFRM, &netlink);

	if (error == -EPROTONOSUPPORT)
		return 0;
	if (error < 0)
		return fail(-error, "opening a netlink socket for IPsec");
	TRY(dump_states(d, netlink, entry));
	TRY(dump_policies(d, netlink, entry));
	dump_default(d, netlink, entry);
	return 0;
}

/* --- restore --- */

static int check_payload(const ProtobufCBinaryData *data, size_t header, const char *what, size_t i)
{
	return rtnetlink_payload_is_sound(data->data, data->len, header)
		       ? 0
		       : refuse(EINVAL, "netns image: %s %zu makes no sense", what, i);
}

int net_ipsec_check(const NetnsEntry *entry)
{
	for (size_t i = 0; i < entry->n_ipsec_states; i++)
		TRY(check_payload(&entry->ipsec_states[i], sizeof(struct xfrm_usersa_info), "IPsec state", i));
	for (size_t i = 0; i < entry->n_ipsec_policies; i++)
		TRY(check_payload(&entry->ipsec_policies[i], sizeof(struct xfrm_userpolicy_info), "IPsec policy", i));
	if (entry->has_ipsec_default && entry->ipsec_default.len != sizeof(struct xfrm_userpolicy_default))
		return refuse(EINVAL, "netns image: what IPsec does by default makes no sense");
	return 0;
}

/* One whose number was taken, and that has no key yet: two ends are about to agree on one. */
static struct nlmsghdr *take_number(void *capacity, const struct xfrm_usersa_info *info, const struct nlattr **parts)
{
	struct xfrm_userspi_info request = { .info = *info, .min = ntohl(info->id.spi), .max = ntohl(info->id.spi) };
	struct nlmsghdr *message = rtnetlink_begin(capacity, XFRM_MSG_ALLOCSPI, 0, &request, sizeof(request));
	static const uint16_t kept[] = { XFRMA_MARK, XFRMA_IF_ID };

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (parts[kept[i]])
			mnl_attr_put(message, kept[i], mnl_attr_get_payload_len(parts[kept[i]]),
				     mnl_attr_get_payload(parts[kept[i]]));
	return message;
}

static int add_state(struct netlink *netlink, const ProtobufCBinaryData *state)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8))), other[512] __attribute__((aligned(8)));
	const struct nlattr *parts[RTNETLINK_ATTRIBUTES] = { 0 };
	struct nlmsghdr *request =
		rtnetlink_begin(capacity, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL, state->data, state->len);
	const struct xfrm_usersa_info *info = mnl_nlmsg_get_payload(request);
	int error;

	rtnetlink_parse(request, sizeof(*info), parts, RTNETLINK_ATTRIBUTES);
	if (!parts[XFRMA_ALG_CRYPT] && !parts[XFRMA_ALG_AUTH] && !parts[XFRMA_ALG_AUTH_TRUNC] &&
	    !parts[XFRMA_ALG_AEAD] && !parts[XFRMA_ALG_COMP]) {
		if (!info->id.spi)
			return 0; /* the next packet asks for it again */
		request = take_number(other, info, parts);
	} else if (!parts[XFRMA_LTIME_VAL]) {
		mnl_attr_put(request, XFRMA_LTIME_VAL, sizeof(info->curlft), &info->curlft);
	}
	error = rtnetlink_tell(netlink, request);
	return error < 0 ? fail(-error,
				"adding the IPsec state with the spi 0x%08x (ip xfrm state): has this kernel its "
				"modules (esp4, esp6, ah4, ah6, ipcomp) and algorithms?",
				ntohl(info->id.spi))
			 : 0;
}

static int add_policy(struct netlink *netlink, const ProtobufCBinaryData *policy)
{
	char capacity[RTNETLINK_CAPACITY] __attribute__((aligned(8)));
	int error = rtnetlink_tell(netlink, rtnetlink_begin(capacity, XFRM_MSG_NEWPOLICY, NLM_F_CREATE | NLM_F_EXCL,
							    policy->data, policy->len));

	return error < 0 ? fail(-error, "adding an IPsec policy (ip xfrm policy)") : 0;
}

static int set_default(struct netlink *netlink, const ProtobufCBinaryData *wanted)
{
	char capacity[256] __attribute__((aligned(8)));
	int error =
		rtnetlink_tell(netlink, rtnetlink_begin(capacity, XFRM_MSG_SETDEFAULT, 0, wanted->data, wanted->len));

	return error < 0 ? fail(-error, "setting what IPsec does by default (ip xfrm policy setdefault)") : 0;
}

int net_ipsec_restore(const NetnsEntry *entry)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	int error;

	if (!entry->n_ipsec_states && !entry->n_ipsec_policies && !entry->has_ipsec_default)
		return 0;
	error = netlink_open(NETLINK_XFRM, &netlink);
	if (error < 0)
		return fail(-error, "opening a netlink socket for IPsec");
	/* The kernel tells the newest first; of policies alike the oldest counts. */
	for (size_t i = entry->n_ipsec_states; i-- > 0;)
		TRY(add_state(netlink, &entry->ipsec_states[i]));
	for (size_t i = entry->n_ipsec_policies; i-- > 0;)
		TRY(add_policy(netlink, &entry->ipsec_policies[i]));
	return entry->has_ipsec_default ? set_default(netlink, &entry->ipsec_default) : 0;
}
