/* SPDX-License-Identifier: GPL-2.0-only */
/* Peers outside of the tree: what --unix-peer says of them, and how a restore finds them. */
#include "object/socket/unix/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/openat2.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "object/socket/queue.h"
#include "object/socket/unix/maker.h"
#include "object/socket/unix/name.h"
#include "object/socket/unix/unix.h"
#include "session/given.h"
#include "session/needs.h"

static bool option_fits(const struct opt_unix_peer *option, const char *name, uint32_t ours, uint32_t theirs)
{
	uint32_t ino;

	if (!option->who)
		return true;
	if (text_to_u32(option->who, 10, &ino) == 0)
		return ino == ours || ino == theirs;
	return *name && fnmatch(option->who, name, FNM_NOESCAPE) == 0;
}

bool unix_peer_mode(const struct options *options, const ProtobufCBinaryData *name, uint32_t ours, uint32_t theirs,
		    enum opt_unix_peer_mode *ret)
{
	char text[128];

	unix_print_name(name, text, sizeof(text));
	for (size_t i = options->unix_peers.n; i-- > 0;) {
		if (!option_fits(&options->unix_peers.items[i], text, ours, theirs))
			continue;
		*ret = options->unix_peers.items[i].mode;
		return true;
	}
	return false;
}

/* --- restore --- */

static void forget_queue(const struct restore *r, struct unix_socket *socket)
{
	if (unix_has_queue(r, socket))
		log_warn("Unread bytes of this unix socket are lost: the connection is a new one");
	socket->new_queue = true;
}

/* The images have no record of a peer that was to be closed, but its name. */
static struct unix_socket *make_up_peer(const struct restore *r, const struct unix_socket *socket)
{
	struct unix_socket *peer = pool_new(r->pool, struct unix_socket);

	peer->entry = pool_new(r->pool, UnixSkEntry);
	unix_sk_entry__init(peer->entry);
	peer->entry->type = socket->entry->type;
	peer->entry->ino = socket->entry->outside->ino;
	peer->entry->uflags = UNIX_EXTERN;
	peer->entry->name = socket->entry->outside->name;
	peer->closed_end = -1;
	list_init(&peer->clients);
	list_init(&peer->client);
	return peer;
}

static int close_peer(struct unix_socket *socket, struct unix_socket **peer)
{
	log_info("file %u: its peer was outside of the tree: it is restored as if that had ended", socket->file->id);
	*peer = NULL;
	socket->entry->peer = 0;
	return 0;
}

static int want_given(const struct restore *r, const char *key)
{
	const char *refusal =
		pool_printf(r->pool,
			    "it was connected to a socket outside of the tree that has no name, or shall be "
			    "given: give another one with --inherit-fd fd[N]:%s, or restore it closed with "
			    "--unix-peer close",
			    key);

	return need_given(r, NEED_DESCRIPTOR, key,
			  "a unix socket whose other end was outside of the tree and is not connected by a name",
			  refusal);
}

static int reconnect_peer(const struct restore *r, struct unix_socket *socket, struct unix_socket **peer)
{
	if (!*peer)
		*peer = make_up_peer(r, socket);
	if (!unix_has_name((*peer)->entry))
		return refuse(EDESTADDRREQ,
			      "its peer outside of the tree has no name to connect to: restore it with --unix-peer "
			      "close, or give one with --inherit-fd fd[N]:socket:[%u]",
			      socket->entry->ino);
	if (unix_is_stream(socket->entry))
		forget_queue(r, socket);
	return 0;
}

/* By the options of the restore, else those of the dump, else (images of CRIU) whether there is a name. */
static enum opt_unix_peer_mode choose_mode(const struct restore *r, const struct unix_socket *socket,
					   const struct unix_socket *peer)
{
	const UnixOutside *outside = socket->entry->outside;
	const ProtobufCBinaryData nameless = { 0 };
	const ProtobufCBinaryData *name = peer ? &peer->entry->name : outside->has_name ? &outside->name : &nameless;
	enum opt_unix_peer_mode mode;

	if (unix_peer_mode(r->options, name, socket->entry->ino, peer ? peer->entry->ino : outside->ino, &mode) &&
	    mode != OPT_PEER_REFUSE)
		return mode;
	if (outside)
		return (enum opt_unix_peer_mode)outside->how;
	return name->len ? OPT_PEER_RECONNECT : OPT_PEER_GIVEN;
}

int unix_link_outside(const struct restore *r, struct unix_socket *socket, struct unix_socket **peer)
{
	const UnixSkEntry *entry = socket->entry;
	enum opt_unix_peer_mode mode;
	char key[32];

	snprintf(key, sizeof(key), "socket:[%u]", entry->ino);
	if (given_has_descriptor(r, key)) {
		forget_queue(r, socket);
		return 0;
	}
	if (entry->uflags & (UNIX_EXTERN | UNIX_CALLBACK) ||
	    (!entry->outside && !(*peer && (*peer)->entry->uflags & UNIX_EXTERN)))
		return 0;
	mode = choose_mode(r, socket, *peer);
	if (mode < OPT_PEER_RECONNECT || mode > OPT_PEER_GIVEN)
		return refuse(EINVAL, "what becomes of its peer outside is unknown (%u)", mode);
	socket->outside_how = mode;
	if (mode == OPT_PEER_CLOSE)
		return close_peer(socket, peer);
	return mode == OPT_PEER_RECONNECT ? reconnect_peer(r, socket, peer) : want_given(r, key);
}

/* The socket file, found from the root of the tasks: no path of theirs leads to something of ours by mistake. */
static int open_name(struct restore *r, const struct unix_socket *socket, const char *name)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	const UnixOutside *outside = socket->entry->outside;
	AUTO_CLOSE int root = -1;

	if (!outside || !outside->of_host)
		TRY(unix_open_root(r, socket, &root));
	if (root < 0)
		root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root >= 0) {
		int file = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));

		if (file >= 0)
			return file;
	}
	return fail_errno(
		"cannot find the unix socket %s outside of the tree: start the program that listens there, or "
		"restore with --unix-peer close:%s",
		name, name);
}

static int connect_to(struct restore *r, const struct unix_socket *socket, int fd, const UnixSkEntry *to)
{
	AUTO_CLOSE int file = -1;
	char name[128];
	int error;

	if (!unix_has_name(to))
		return refuse(EDESTADDRREQ,
			      "no plugin has brought it back, and its peer has no name: give one with "
			      "--inherit-fd fd[N]:socket:[%u]",
			      socket->entry->ino);
	if (!unix_is_path(to))
		return unix_connect_name(r, socket, fd, to);
	unix_print_name(&to->name, name, sizeof(name));
	file = open_name(r, socket, name);
	TRY(file);
	error = unix_connect_as(r, socket, fd, &(struct unix_target){ .file = file });
	return error < 0 ? fail(-error,
				"cannot connect a unix socket to %s: start the program that listens there, or restore "
				"with --unix-peer close:%s",
				name, name)
			 : 0;
}

int unix_connect_outside(struct restore *r, const struct unix_socket *socket, int fd)
{
	const UnixOutside *outside = socket->entry->outside;

	TRY(connect_to(r, socket, fd, socket->peer->entry));
	if (!outside || !outside->has_greeting || !unix_is_stream(socket->entry))
		return 0;
	if (send(fd, outside->greeting.data, outside->greeting.len, MSG_NOSIGNAL) != (ssize_t)outside->greeting.len)
		return fail_errno("cannot tell journald whose output comes");
	return 0;
}
