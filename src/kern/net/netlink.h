/* SPDX-License-Identifier: LGPL-2.1-only */
/* Netlink requests and their answers, on top of libmnl. All functions return -errno and log nothing. */
#pragma once

#include <linux/netlink.h>
#include <stddef.h>

struct netlink;

/* A socket of this NETLINK_* protocol in the network namespace of the calling thread. */
int netlink_open(int protocol, struct netlink **ret);
void netlink_close(struct netlink **netlink); /* accepts NULL; for AUTO() */

/*
 * Sends the request and calls answer() for each message that comes back, until the end of a dump, the acknowledgement
 * or the first failure. nlmsg_seq is filled in. A dump that was disturbed meanwhile (NLM_F_DUMP_INTR) ends with -EINTR:
 * the caller throws away what it has and asks again.
 */
int netlink_ask(struct netlink *netlink, struct nlmsghdr *request,
		int (*answer)(void *arg, const struct nlmsghdr *message), void *arg);

/*
 * Sends messages, one after another in data, as one: a batch of nfnetlink, which the kernel takes as a whole or not at
 * all. Their answers are errors only. Of the first message that was not taken, -errno is returned, and its nlmsg_seq.
 */
int netlink_send_batch(struct netlink *netlink, const void *data, size_t size, unsigned *ret_failed);
