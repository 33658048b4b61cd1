/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: the addresses of sockets. */
#include "object/socket/inspect.h"

#include <arpa/inet.h>

#include "base/outline.h"
#include "object/file/file.h"
#include "object/socket/unix/name.h"
#include "object/socket/unix/unix.h"

static void add_address(struct outline *to, const char *name, uint32_t family, const uint32_t *words, uint32_t port)
{
	char text[INET6_ADDRSTRLEN] = "?";

	inet_ntop((int)family, words, text, sizeof(text));
	outline_add_text(to, name, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
}

void inet_inspect(const struct restore *r, const struct file *f, struct outline *to)
{
	const InetSkEntry *entry = f->entry->isk;
	const size_t words = entry->family == AF_INET6 ? 4 : 1;

	if (entry->n_src_addr >= words && (entry->src_port || entry->type == SOCK_RAW))
		add_address(to, "address", entry->family, entry->src_addr, entry->src_port);
	if (entry->n_dst_addr >= words && entry->dst_port)
		add_address(to, "peer", entry->family, entry->dst_addr, entry->dst_port);
}

void unix_inspect(const struct restore *r, const struct file *f, struct outline *to)
{
	static const char *const becomes[] = { "", "is connected again", "is closed", "must be given" };
	const struct unix_socket *socket = f->data;
	const UnixSkEntry *entry = f->entry->usk;
	char text[128];
	const char *name = (const char *)entry->name.data;

	outline_add_number(to, "inode", entry->ino);
	if (entry->peer)
		outline_add_number(to, "peer", entry->peer);
	if (entry->name.len && !*name)
		outline_add_text(to, "address", "@%.*s", (int)entry->name.len - 1, name + 1);
	else if (entry->name.len)
		outline_add_text(to, "address", "%.*s", (int)entry->name.len, name);
	if (!socket || !socket->outside_how)
		return;
	text[0] = '\0';
	if (entry->outside)
		unix_print_name(&entry->outside->name, text, sizeof(text));
	else if (socket->peer)
		unix_print_name(&socket->peer->entry->name, text, sizeof(text));
	outline_add_text(to, "outside", "%s%s%s", becomes[socket->outside_how], *text ? ": " : "", text);
}
