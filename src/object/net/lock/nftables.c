/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of the network lock in nftables, through its library. */
#include "object/net/lock/nftables.h"

#include <errno.h>
#include <soccr.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "kern/net/libnftables.h"
#include "object/net/lock/connections.h"

/* Elements are added in pieces: the library builds one netlink batch of each command. */
#define ELEMENTS_MAX 512

static int run_nftables(struct nft_ctx *ctx, const struct buffer *commands, bool quietly)
{
	if (!libnftables.nft_run_cmd_from_buffer(ctx, commands->data))
		return 0;
	if (!quietly)
		log_error("nftables: %s", libnftables.nft_ctx_get_error_buffer(ctx));
	return -EIO;
}

static int open_context(struct nft_ctx **ctx)
{
	TRY(libnftables_load());
	*ctx = libnftables_begin();
	if (!*ctx)
		return fail(ENOMEM, "cannot start libnftables");
	libnftables.nft_ctx_buffer_error(*ctx);
	libnftables.nft_ctx_buffer_output(*ctx);
	return 0;
}

static void print_chain(struct buffer *to, const char *name)
{
	buffer_printf(to,
		      "chain %s { type filter hook %s priority 0; policy accept;\n"
		      "meta mark != 0x%x ip saddr . tcp sport . ip daddr . tcp dport @conns4 drop\n"
		      "meta mark != 0x%x ip6 saddr . tcp sport . ip6 daddr . tcp dport @conns6 drop\n}\n",
		      name, name, SOCCR_MARK, SOCCR_MARK);
}

static int make_table(struct nft_ctx *ctx, const char *table, bool owned, bool quietly)
{
	AUTO(buffer_done) struct buffer commands = { 0 };

	buffer_printf(&commands,
		      "table inet %s {\n%s"
		      "set conns4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; }\n"
		      "set conns6 { type ipv6_addr . inet_service . ipv6_addr . inet_service; }\n",
		      table, owned ? "flags owner\n" : "");
	print_chain(&commands, "output");
	print_chain(&commands, "input");
	buffer_printf(&commands, "}\n");
	return run_nftables(ctx, &commands, quietly);
}

static int begin_table(struct nft_ctx **ctx, const char *table, bool owned)
{
	TRY(open_context(ctx));
	if (!make_table(*ctx, table, owned, owned))
		return 0;
	if (owned) {
		log_warn("This kernel has no nftables tables with an owner: a killed criu would leave the table inet "
			 "%s behind",
			 table);
		if (!make_table(*ctx, table, false, false))
			return 0;
	}
	return refuse(EIO, "cannot keep packets away with nftables; --network-lock skip does without");
}

int nftables_cut_off(struct nft_ctx **ctx, const char *table, bool owned)
{
	AUTO(buffer_done) struct buffer commands = { 0 };
	static const char *const chains[] = { "output", "input" };

	TRY(open_context(ctx));
	for (int owner = owned; owner >= 0; owner--) {
		commands.size = 0;
		buffer_printf(&commands, "table inet %s {\n%s", table, owner ? "flags owner\n" : "");
		for (size_t i = 0; i < 2; i++)
			buffer_printf(
				&commands,
				"chain %s { type filter hook %s priority 0; policy drop;\nmeta mark 0x%x accept\n}\n",
				chains[i], chains[i], SOCCR_MARK);
		buffer_printf(&commands, "}\n");
		if (!run_nftables(*ctx, &commands, true))
			return 0;
	}
	nftables_done(ctx);
	return -EIO;
}

static void print_ports(struct buffer *to, const char *hook, const char *what, const uint16_t *ports, size_t n)
{
	buffer_printf(to,
		      "chain %s { type filter hook %s priority 0; policy accept;\n"
		      "meta mark != 0x%x tcp %s { ",
		      hook, hook, SOCCR_MARK, what);
	for (size_t i = 0; i < n; i++)
		buffer_printf(to, "%s%u", i ? ", " : "", ports[i]);
	buffer_printf(to, " } drop\n}\n");
}

int nftables_close_ports(struct nft_ctx **ctx, const char *table, const uint16_t *ports, size_t n, bool all)
{
	AUTO(buffer_done) struct buffer commands = { 0 };

	TRY(open_context(ctx));
	buffer_printf(&commands, "table inet %s {\nflags owner\n", table);
	print_ports(&commands, "input", all ? "dport" : "flags & (syn | ack) == syn tcp dport", ports, n);
	if (all)
		print_ports(&commands, "output", "sport", ports, n);
	buffer_printf(&commands, "}\n");
	return run_nftables(*ctx, &commands, true);
}

static int add_elements(struct nft_ctx *ctx, const char *table, int family, const struct locked_connection *items,
			size_t n)
{
	AUTO(buffer_done) struct buffer commands = { 0 };
	const char *between = "";

	for (size_t i = 0; i < n; i++) {
		const struct locked_connection *c = &items[i];

		if (c->family != family)
			continue;
		if (!commands.size)
			buffer_printf(&commands, "add element inet %s %s { ", table, family == 4 ? "conns4" : "conns6");
		buffer_printf(&commands, "%s%s . %u . %s . %u, %s . %u . %s . %u", between, c->self, c->self_port,
			      c->peer, c->peer_port, c->peer, c->peer_port, c->self, c->self_port);
		between = ", ";
	}
	if (!commands.size)
		return 0;
	buffer_printf(&commands, " }\n");
	if (run_nftables(ctx, &commands, false) < 0)
		return refuse(EIO, "cannot keep the packets of a connection away with nftables");
	return 0;
}

int nftables_lock(struct nft_ctx **ctx, const char *table, bool owned, const struct locked_connection *items, size_t n)
{
	if (!*ctx)
		TRY(begin_table(ctx, table, owned));
	for (size_t i = 0; i < n; i += ELEMENTS_MAX) {
		size_t part = n - i < ELEMENTS_MAX ? n - i : ELEMENTS_MAX;

		TRY(add_elements(*ctx, table, 4, items + i, part));
		TRY(add_elements(*ctx, table, 6, items + i, part));
	}
	return 0;
}

int nftables_unlock(struct nft_ctx **ctx, const char *owned, const char *table)
{
	AUTO(buffer_done) struct buffer commands = { 0 };

	if (!*ctx && !table)
		return 0;
	if (!*ctx)
		TRY(open_context(ctx));
	else
		buffer_printf(&commands, "delete table inet %s\n", owned);
	/* Without the first line a table that is not there would be an error. */
	if (table)
		buffer_printf(&commands, "add table inet %s\ndelete table inet %s\n", table, table);
	if (commands.size && run_nftables(*ctx, &commands, false) < 0)
		return refuse(EIO, "cannot remove the nftables table inet %s", table ? table : owned);
	nftables_done(ctx);
	return 0;
}

int nftables_remove(struct nft_ctx **ctx, const char *table)
{
	AUTO(buffer_done) struct buffer commands = { 0 };

	TRY(open_context(ctx));
	buffer_printf(&commands, "delete table inet %s\n", table);
	return run_nftables(*ctx, &commands, true) == 0;
}

void nftables_done(struct nft_ctx **ctx)
{
	if (*ctx)
		libnftables_end(*ctx);
	*ctx = NULL;
}
