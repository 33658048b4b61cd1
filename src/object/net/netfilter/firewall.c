/* SPDX-License-Identifier: GPL-2.0-only */
/* nftables and iptables of a network namespace. */
#include "image/payload.h"
#include "kern/net/libnftables.h"
#include "object/net/netfilter/firewall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/program.h"
#include "base/text.h"
#include "image/image.h"
#include "object/namespace/namespace.h"
#include "object/net/netfilter/iptables-nft-restore.h"
#include "object/net/netfilter/iptables-nft.h"
#include "session/loss.h"
#include "session/survey.h"

static const struct legacy {
	const char *name, *names; /* file of /proc/net with the tables that are in use */
	enum image_id image;
	const char *save[3], *restore[3]; /* programs, the first that is there is taken */
} legacies[] = {
	{ "iptables",
	  "/proc/thread-self/net/ip_tables_names",
	  IMAGE_IPTABLES,
	  { "iptables-legacy-save", "iptables-save" },
	  { "iptables-legacy-restore", "iptables-restore" } },
	{ "ip6tables",
	  "/proc/thread-self/net/ip6_tables_names",
	  IMAGE_IP6TABLES,
	  { "ip6tables-legacy-save", "ip6tables-save" },
	  { "ip6tables-legacy-restore", "ip6tables-restore" } },
};

/* --- text --- */

/* From the line up to the "}" at its own depth. */
static char *skip_block(char *line)
{
	size_t depth = strspn(line, "\t ");
	char *end = line;

	while ((end = strchr(end, '\n'))) {
		end++;
		if (strspn(end, "\t ") == depth && end[depth] == '}') {
			char *next = strchr(end, '\n');

			return next ? next + 1 : end + strlen(end);
		}
	}
	return line + strlen(line);
}

static bool has_jump(const char *line, size_t size)
{
	static const char *const jumps[] = { "jump CRIU", "-j CRIU" };

	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		size_t length = strlen(jumps[i]);

		if (size >= length && !memcmp(line + size - length, jumps[i], length))
			return true;
	}
	return false;
}

void net_firewall_drop_locks(char *text)
{
	char *from = text, *to = text;

	while (*from) {
		const char *end = strchr(from, '\n');
		size_t size = end ? (size_t)(end - from) : strlen(from);
		const char *word = from + strspn(from, "\t ");

		if (text_starts(word, "table inet CRIU-") || text_starts(word, "chain CRIU {")) {
			from = skip_block(from);
			continue;
		}
		if (!has_jump(from, size) && !text_starts(word, ":CRIU ") && !text_starts(word, "-A CRIU ")) {
			memmove(to, from, size + (end != NULL));
			to += size + (end != NULL);
		}
		from += size + (end != NULL);
	}
	*to = '\0';
}

static size_t line_size(const char *line)
{
	size_t size = strcspn(line, "\n");

	return size + (line[size] == '\n');
}

/* The block that begins with this line, from the line after it; NULL: there is none up to the end of the block. */
static const char *find_block(const char *text, const char *end, const char *head, size_t size)
{
	for (const char *line = text; line < end; line += line_size(line))
		if (strncmp(line, head, size) == 0)
			return line + size;
	return NULL;
}

static const char *end_of_block(const char *text, const char *bracket)
{
	const char *end = strstr(text, bracket);

	return end ? end + 1 : text + strlen(text);
}

/* But for what counters have counted. */
static bool is_same_rule(const char *a, const char *b)
{
	const char *start = a;

	while (*a == *b && *a && *a != '\n') {
		bool counted = (a - start > 8 && !memcmp(a - 7, "packets", 7)) ||
			       (a - start > 6 && !memcmp(a - 5, "bytes", 5));

		a++;
		b++;
		if (counted) {
			a += strspn(a, "0123456789");
			b += strspn(b, "0123456789");
		}
	}
	return (!*a || *a == '\n') && (!*b || *b == '\n');
}

/* chain: what is in it now. Of a chain that others have made for themselves they know best what is to be in it. */
static bool is_known_rule(const char *rule, const char *chain)
{
	const char *end = end_of_block(chain, "\n\t}");

	if (text_starts(rule, "\t\ttype "))
		return false;
	if (!text_starts(chain, "\t\ttype "))
		return true;
	for (const char *line = chain; line < end; line += line_size(line))
		if (is_same_rule(rule, line))
			return true;
	return false;
}

void net_firewall_drop_known(char *text, const char *now)
{
	const char *table = NULL, *chain = NULL, *from = text;
	char *to = text;

	while (*from) {
		size_t size = line_size(from);
		bool known = chain && from[0] == '\t' && from[1] == '\t' && is_known_rule(from, chain);

		if (text_starts(from, "table "))
			table = find_block(now, now + strlen(now), from, size);
		else if (text_starts(from, "\tchain "))
			chain = table ? find_block(table, end_of_block(table, "\n}"), from, size) : NULL;
		else if (from[0] == '}' || (from[0] == '\t' && from[1] == '}'))
			chain = NULL;
		if (!known) {
			memmove(to, from, size);
			to += size;
		}
		from += size;
	}
	*to = '\0';
}

/* "dormant,owner" without what tells of owners. */
static void write_flags(char *to, size_t size, bool dormant)
{
	memset(to, ' ', size);
	if (dormant)
		memcpy(to, "\tflags dormant", strlen("\tflags dormant"));
}

size_t net_firewall_disown(char *text)
{
	size_t n = 0;

	for (char *line = text; *line; line += line_size(line)) {
		const size_t size = strcspn(line, "\n");

		if (!text_starts(line, "\tflags ") || !memmem(line, size, "owner", strlen("owner")))
			continue;
		n++;
		write_flags(line, size, memmem(line, size, "dormant", strlen("dormant")));
	}
	return n;
}

/* --- nftables --- */

static void free_context(struct nft_ctx **ctx)
{
	if (*ctx)
		libnftables_end(*ctx);
}

static int open_context(struct nft_ctx **ret)
{
	TRY(libnftables_load());
	*ret = libnftables_begin();
	if (!*ret)
		return fail(ENOMEM, "cannot start libnftables");
	libnftables.nft_ctx_buffer_error(*ret);
	libnftables.nft_ctx_buffer_output(*ret);
	return 0;
}

/* Text for the caller to free. Empty if the kernel has no nftables. */
static int list_rules(char **ret)
{
	AUTO(free_context) struct nft_ctx *ctx = NULL;

	TRY(open_context(&ctx));
	if (libnftables.nft_run_cmd_from_buffer(ctx, "list ruleset")) {
		const char *text = libnftables.nft_ctx_get_error_buffer(ctx);

		if (strstr(text, "Operation not supported") || strstr(text, "Protocol not supported")) {
			*ret = xstrdup("");
			return 0;
		}
		return refuse(EIO, "cannot list the nftables rules: %s", text);
	}
	*ret = xstrdup(libnftables.nft_ctx_get_output_buffer(ctx));
	net_firewall_drop_locks(*ret);
	return 0;
}

/* 1: they are left to whoever furnishes the namespace. */
static int check_rules(const struct dump *d, const char *text, bool may_leave)
{
	const char *found = strstr(text, "xt match ") ?: strstr(text, "xt target ");

	if (!found)
		return 0;
	if (!may_leave)
		return refuse(EOPNOTSUPP,
			      "an nftables rule has an extension of iptables (%.*s) that nftables can list but not "
			      "take back",
			      (int)strcspn(found, "\n"), found);
	dump_report_loss(d,
			 "the nftables rules: one has an extension of iptables (%.*s) that nftables can list but not "
			 "take back: all are left to whoever restores, as --empty-ns net asks",
			 (int)strcspn(found, "\n"), found);
	return 1;
}

static int load_rules(const char *text)
{
	AUTO(free_context) struct nft_ctx *ctx = NULL;

	TRY(open_context(&ctx));
	if (libnftables.nft_run_cmd_from_buffer(ctx, text))
		return refuse(EIO, "nftables does not take its rules back: %s",
			      libnftables.nft_ctx_get_error_buffer(ctx));
	return 0;
}

/* --- legacy iptables --- */

static bool is_in_use(const struct legacy *legacy)
{
	char text[1024];
	ssize_t size = file_read_text(AT_FDCWD, legacy->names, text, sizeof(text));

	return size > 0;
}

/* The first of the programs that is there. text: its input; else `output` is its output. */
static int run_first(const char *const *programs, const char *text, int output)
{
	int error = -ENOENT;

	for (; *programs && error == -ENOENT; programs++) {
		const char *const save[] = { *programs, NULL }, *const restore[] = { *programs, "-w", NULL };

		error = text ? program_feed(restore, text) : program_run(save, -1, output);
	}
	return error;
}

static int save_legacy(struct dump *d, const struct legacy *legacy, uint32_t id)
{
	AUTO(image_close) struct image *image = NULL;
	int fd, error;

	TRY(image_create_number(dump_store(d), &image, legacy->image, (struct image_number){ id }));
	fd = image_fd(image); /* it is there even if it is empty */
	TRY(fd);
	if (is_in_use(legacy)) {
		error = run_first(legacy->save, NULL, fd);
		if (error < 0)
			return fail(-error, "saving the rules of the legacy %s with %s", legacy->name, legacy->save[0]);
	}
	return image_finish(&image);
}

static int restore_legacy(const struct legacy *legacy, const char *text)
{
	int error;

	if (!text || !strchr(text, '*')) /* no table */
		return 0;
	error = run_first(legacy->restore, text, -1);
	return error < 0
		       ? fail(-error, "restoring the rules of the legacy %s with %s", legacy->name, legacy->restore[0])
		       : 0;
}

/* --- all --- */

int net_firewall_collect(const struct dump *d, bool may_leave, bool *ret_left)
{
	AUTO(buffer_done) struct buffer messages = { 0 };
	AUTO_FREE char *text = NULL;
	size_t owned;
	int left;

	TRY(net_iptables_nft_read(&messages));
	TRY(list_rules(&text));
	net_iptables_nft_drop_text(text, &messages);
	owned = net_firewall_disown(text);
	if (owned)
		dump_report_loss(d,
				 "who owns %zu nftables table(s) (flags owner): they come back, belong to nobody, and "
				 "stay when that program ends",
				 owned);
	left = net_iptables_nft_check(d, &messages, may_leave) ?: check_rules(d, text, may_leave);
	*ret_left = left > 0;
	return dump_go_on(d, left > 0 ? 0 : left);
}

int net_firewall_dump(struct dump *d, uint32_t id)
{
	AUTO(image_close) struct image *image = NULL;
	AUTO_FREE char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(legacies); i++)
		TRY(save_legacy(d, &legacies[i], id));
	TRY(net_iptables_nft_dump(d, id));
	TRY(list_rules(&text));
	(void)net_firewall_disown(text);
	TRY(image_create(dump_store(d), &image, IMAGE_NFTABLES, id));
	TRY(image_fd(image));
	TRY(image_write_bytes(image, text, strlen(text)));
	return image_finish(&image);
}

static int load_text(const struct restore *r, enum image_id which, uint32_t id, char **ret)
{
	AUTO(image_close) struct image *image = NULL;
	size_t size;
	void *data;
	int error = image_open_number(r->store, &image, which, (struct image_number){ id });

	if (error == -ENOENT)
		return 0;
	TRY(error);
	TRY(image_read_payload(image, &data, &size));
	if (strlen(data) != size)
		return image_refuse(image, "it is no text");
	*ret = data;
	net_firewall_drop_locks(*ret);
	(void)net_firewall_disown(*ret);
	return 0;
}

static bool has_rules(const char *text)
{
	return text && text[strspn(text, " \t\n")];
}

int net_firewall_load(const struct restore *r, uint32_t id, struct net_rules *to)
{
	TRY(load_text(r, IMAGE_IPTABLES, id, &to->iptables));
	TRY(load_text(r, IMAGE_IP6TABLES, id, &to->ip6tables));
	TRY(load_text(r, IMAGE_NFTABLES, id, &to->nftables));
	TRY(net_iptables_nft_load(r, id, &to->iptables_nft));
	return has_rules(to->nftables) ? libnftables_load() : 0;
}

/* Up to its end, or to this place in it. */
static int load_part(const struct net_rules *rules, const char *text, const char *end)
{
	AUTO(buffer_done) struct buffer part = { 0 };

	buffer_append(&part, text, end ? (size_t)(end - text) : strlen(text));
	if (!has_rules(part.data))
		return 0;
	net_iptables_nft_drop_text(part.data, &rules->iptables_nft);
	return has_rules(part.data) ? load_rules(part.data) : 0;
}

/* In the order that they had: of chains with the same priority, the one made first is asked first. */
static int load_tables(const struct net_rules *rules, bool beside)
{
	const struct nlmsghdr *table;
	char *rest = rules->nftables, *found;

	net_iptables_nft_for_each(table, &rules->iptables_nft)
	{
		found = rest ? net_iptables_nft_find_text(rest, table) : NULL;
		if (found) {
			TRY(load_part(rules, rest, found));
			rest = found;
		}
		TRY(net_iptables_nft_restore(&rules->iptables_nft, table, beside));
	}
	return rest ? load_part(rules, rest, NULL) : 0;
}

struct loading {
	const struct net_rules *rules;
	bool beside;
};

static int load_there(void *arg)
{
	const struct loading *loading = arg;

	return load_tables(loading->rules, loading->beside);
}

/* Extensions that know users ("owner") are taken only from the user namespace that the network belongs to. */
static int load_by_owner(struct restore *r, const struct namespace *ns, struct loading *loading)
{
	uint32_t flag;
	AUTO_CLOSE int proc = namespace_open_owner(r, ns, &flag);

	TRY(proc);
	return flag ? namespace_run(proc, flag, load_there, loading) : load_there(loading);
}

int net_firewall_restore(struct restore *r, const struct namespace *ns, const struct net_rules *rules, bool beside)
{
	AUTO_FREE char *now = NULL;

	TRY(restore_legacy(&legacies[0], rules->iptables));
	TRY(restore_legacy(&legacies[1], rules->ip6tables));
	if (beside && has_rules(rules->nftables)) {
		TRY(list_rules(&now));
		net_firewall_drop_known(rules->nftables, now);
	}
	if (!rules->iptables_nft.size)
		return load_tables(rules, beside);
	return load_by_owner(r, ns, &(struct loading){ rules, beside });
}
