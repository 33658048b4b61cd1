/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables that iptables-nft had made: made again from the kernel's messages (iptables-nft.h). */
#pragma once

#include "base/buffer.h"
#include "kern/net/rtnetlink.h"
#include "object/net/netfilter/message.h"

/* The tables among the messages, in their order. */
#define net_iptables_nft_for_each(table, messages)  \
	rtnetlink_for_each(table, (messages)->data, \
			   (messages)->size) if ((table)->nlmsg_type == NFT_TYPE(NFT_MSG_NEWTABLE))
/* Makes one table with all that is in it. beside: somebody else has put rules there as well, which stay. */
int net_iptables_nft_restore(const struct buffer *messages, const struct nlmsghdr *table, bool beside);

/* Where this table begins in a text of nftables; NULL: it does not. */
char *net_iptables_nft_find_text(char *text, const struct nlmsghdr *table);
/* Removes all these tables from such a text. */
void net_iptables_nft_drop_text(char *text, const struct buffer *messages);
