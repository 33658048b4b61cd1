/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of the network lock in iptables: for images that other programs restore. */
#include "object/net/lock/iptables.h"

#include <errno.h>
#include <soccr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/program.h"
#include "base/text.h"
#include "object/net/lock/connections.h"

static const struct {
	const char *restore, *save;
} programs[] = { { "iptables-restore", "iptables-save" }, { "ip6tables-restore", "ip6tables-save" } };

bool iptables_is_there(void)
{
	static const char *const folders[] = { "/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin" };
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], programs[0].restore);
		if (!access(path, X_OK))
			return true;
	}
	return false;
}

/* The tool takes two rules for the same only if their matches stand in the same order: first the mark, then the ports,
 * as CRIU has them. */
static void print_rule(struct buffer *to, const char *chain, const struct locked_connection *c, bool incoming)
{
	buffer_printf(to, "-I %s -p tcp -m mark ! --mark 0x%x -s %s --sport %u -d %s --dport %u -j DROP\n", chain,
		      SOCCR_MARK, incoming ? c->peer : c->self, incoming ? c->peer_port : c->self_port,
		      incoming ? c->self : c->peer, incoming ? c->self_port : c->peer_port);
}

/* All of the text is one transaction. */
static int feed_rules(int family, const struct buffer *rules)
{
	const char *const arguments[] = { programs[family == 6].restore, "-w", "--noflush", NULL };
	int error = program_feed(arguments, rules->data);

	return error == -EIO ? error : error < 0 ? fail(-error, "cannot run %s", arguments[0]) : 0;
}

static size_t print_locks(struct buffer *to, int family, const struct connections *connections)
{
	size_t count = 0;

	for (size_t i = 0; i < connections->n; i++) {
		const struct locked_connection *c = &connections->items[i];

		if (c->inside || c->family != family)
			continue;
		print_rule(to, "INPUT", c, true);
		print_rule(to, "OUTPUT", c, false);
		count++;
	}
	return count;
}

int iptables_lock(const struct connections *connections)
{
	for (int family = 4; family <= 6; family += 2) {
		AUTO(buffer_done) struct buffer rules = { 0 };

		buffer_printf(&rules, "*filter\n");
		if (!print_locks(&rules, family, connections))
			continue;
		buffer_printf(&rules, "COMMIT\n");
		if (feed_rules(family, &rules) < 0)
			return refuse(EIO, "cannot keep packets away with iptables");
	}
	return 0;
}

/* --- unlock: what is there is read, so that a rule is found however it was written --- */

static int read_rules(int family, char **ret)
{
	const char *const arguments[] = { programs[family == 6].save, NULL };
	AUTO_CLOSE int output = memfd_create("rules", MFD_CLOEXEC);
	off_t size;

	if (output < 0)
		return fail_errno("cannot make a memory file");
	if (program_run(arguments, -1, output) < 0)
		return refuse(EIO, "%s fails: the packets of the restored connections may be dropped still",
			      arguments[0]);
	size = lseek(output, 0, SEEK_END);
	if (size < 0)
		return fail_errno("cannot read the rules");
	*ret = xzalloc((size_t)size + 1);
	return pread(output, *ret, (size_t)size, 0) == size ? 0 : fail(EIO, "cannot read the rules");
}

/* An address is printed with the length of its prefix, which is all of it. */
static bool has_address(const char *line, const char *option, const char *address)
{
	char text[64];

	snprintf(text, sizeof(text), " %s %s/", option, address);
	return strstr(line, text) != NULL;
}

static bool has_addresses(const char *line, const char *from, const char *to)
{
	return has_address(line, "-s", from) && has_address(line, "-d", to);
}

static unsigned read_port(const char *line, const char *option)
{
	const char *at = strstr(line, option);

	return at ? (unsigned)strtoul(at + strlen(option), NULL, 10) : 0;
}

static bool is_lock(const char *line, const struct connections *connections)
{
	bool incoming = text_starts(line, "-A INPUT ");
	unsigned from = read_port(line, " --sport "), to = read_port(line, " --dport ");
	unsigned self = incoming ? to : from, peer = incoming ? from : to;
	char mark[32];

	snprintf(mark, sizeof(mark), " ! --mark 0x%x ", SOCCR_MARK);
	if (!strstr(line, mark) || !text_ends(line, " -j DROP"))
		return false;
	for (size_t i = 0; i < connections->n; i++) {
		const struct locked_connection *c = &connections->items[i];

		if (c->self_port == self && c->peer_port == peer &&
		    has_addresses(line, incoming ? c->peer : c->self, incoming ? c->self : c->peer))
			return true;
	}
	return false;
}

/* The lines of the table "filter" that are to go. */
static size_t print_unlocks(struct buffer *to, char *rules, const struct connections *connections, bool whole)
{
	bool in_filter = false, chain = false;
	size_t count = 0;

	for (char *line = text_line(&rules); line; line = text_line(&rules)) {
		if (line[0] == '*')
			in_filter = !strcmp(line, "*filter");
		if (!in_filter)
			continue;
		chain |= whole && text_starts(line, ":CRIU ");
		if (!text_starts(line, "-A INPUT ") && !text_starts(line, "-A OUTPUT "))
			continue;
		if (!is_lock(line, connections) && !(whole && text_ends(line, " -j CRIU")))
			continue;
		buffer_printf(to, "-D%s\n", line + 2);
		count++;
	}
	if (chain)
		buffer_printf(to, "-F CRIU\n-X CRIU\n");
	return count + chain;
}

static int remove_rules(int family, const struct connections *connections, bool whole)
{
	AUTO(buffer_done) struct buffer rules = { 0 };
	AUTO_FREE char *there = NULL;
	size_t n;

	TRY(read_rules(family, &there));
	buffer_printf(&rules, "*filter\n");
	n = print_unlocks(&rules, there, connections, whole);
	if (!n)
		return 0;
	buffer_printf(&rules, "COMMIT\n");
	if (feed_rules(family, &rules) < 0)
		return refuse(EIO, "cannot remove the rules of the network lock with %s",
			      programs[family == 6].restore);
	return 1;
}

int iptables_unlock(const struct connections *connections, bool whole)
{
	int any = 0;

	for (int family = 4; family <= 6; family += 2) {
		bool wanted = whole;
		int removed;

		for (size_t i = 0; i < connections->n; i++)
			wanted |= connections->items[i].family == family;
		if (!wanted)
			continue;
		removed = remove_rules(family, connections, whole);
		TRY(removed);
		any |= removed;
	}
	return any;
}

int iptables_cut_off(void)
{
	AUTO(buffer_done) struct buffer rules = { 0 };
	const struct connections none = { 0 };

	buffer_printf(&rules,
		      "*filter\n:CRIU - [0:0]\n-I INPUT -j CRIU\n-I OUTPUT -j CRIU\n"
		      "-A CRIU -m mark --mark 0x%x -j ACCEPT\n-A CRIU -j DROP\nCOMMIT\n",
		      SOCCR_MARK);
	TRY(feed_rules(4, &rules));
	if (feed_rules(6, &rules) == 0)
		return 0;
	/* Half of it is none: whoever asked takes it for not locked, and would not unlock it. */
	(void)remove_rules(4, &none, true); /* logged */
	return -EIO;
}
