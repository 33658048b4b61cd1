/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making unix sockets again. What belongs together is made together: both ends of a pair, a listener with all that was
 * accepted from it or waits in its backlog. Then the queues are filled, through the other end, and only then come
 * shutdown(2) and the options.
 */
#include "object/socket/unix/peer.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/socket/options.h"
#include "object/socket/queue.h"
#include "object/socket/socket.h"
#include "object/socket/unix/maker.h"
#include "object/socket/unix/name.h"
#include "object/socket/unix/outside.h"
#include "object/socket/unix/twins.h"
#include "object/socket/unix/unix.h"
#include "plugin/plugin.h"
#include "session/given.h"
#include "session/listener.h"

/* A bound is needed for what one message may ask; a queue of an image is never larger than what a socket could hold. */
#define CAPACITY_BYTES (256u << 20)

static struct socket_options options_of(const struct unix_socket *socket)
{
	return (struct socket_options){ AF_UNIX, (int)socket->entry->type, 0, .common = socket->entry->opts };
}

static int new_socket(const struct unix_socket *like, int *ret)
{
	struct socket_options options = options_of(like);

	*ret = socket(AF_UNIX, (int)like->entry->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*ret < 0)
		return fail_errno("cannot make a unix socket");
	return socket_options_apply(*ret, &options, OPTION_EARLY);
}

/* --- one finished socket --- */

static int open_for_queue(struct restore *r, const struct unix_socket *socket, int through, bool *credentials)
{
	const int on = 1;

	*credentials = unix_has_queue(r, socket);
	if (!*credentials)
		return 0;
	TRY(socket_options_make_capacity(through, CAPACITY_BYTES, 0));
	/* Messages carry the sender's credentials only if the receiver wants them when they are sent. */
	*credentials = socket->entry->opts->so_passcred;
	if (*credentials && setsockopt(socket->file->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return fail_errno("cannot set the socket option SO_PASSCRED");
	return 0;
}

static int fill_queue(struct restore *r, const struct unix_socket *socket, int through)
{
	const int off = 0;
	bool credentials;

	TRY(open_for_queue(r, socket, through, &credentials));
	TRY(unix_fill_queue(r, socket, through));
	/* Switched on again with the other options: a socket that has it and no name would be given one when it sends.
	 */
	if (credentials && setsockopt(socket->file->fd, SOL_SOCKET, SO_PASSCRED, &off, sizeof(off)) < 0)
		return fail_errno("cannot clear the socket option SO_PASSCRED");
	return 0;
}

/*
 * Filling a queue may make other sockets, whose queues may hold the one that is just being made: it stays open, though
 * the last one who wants it may have it by then.
 */
static void hold_peer(struct unix_socket *socket)
{
	socket->file->users++;
}

static void release_peer(struct restore *r, struct unix_socket *socket)
{
	file_put(r, socket->file);
}

/* All have the same: one is asked. */
static void tell_fresh(struct restore *r, const struct unix_socket *socket, struct socket_options *options)
{
	const struct unix_set *set = unix_set_of(r);

	if (!unix_learn_buffers(r, socket->entry->ns_id, socket->file->fd))
		return;
	options->is_fresh = true;
	options->fresh_sndbuf = set->buffers.send;
	options->fresh_rcvbuf = set->buffers.receive;
}

static int apply_all_flags(const struct unix_socket *socket)
{
	const UnixSkEntry *entry = socket->entry;

	if (socket->fresh)
		return file_change_flags(socket->file->fd, socket->made_flags, entry->flags, entry->fown);
	return file_apply_flags(socket->file->fd, entry->flags, entry->fown);
}

static int complete_socket(struct restore *r, struct unix_socket *socket)
{
	struct socket_options options = options_of(socket);

	LOG_SCOPE("file %u (unix socket)", socket->file->id);
	if (socket->fresh)
		tell_fresh(r, socket, &options);
	/* The early ones as well: ends of pairs and accepted sockets did not get them. */
	TRY(socket_options_apply(socket->file->fd, &options, OPTION_EARLY));
	if (socket->entry->has_shutdown)
		TRY(socket_apply_shutdown(socket->file->fd, socket->entry->shutdown));
	TRY(socket_options_apply(socket->file->fd, &options, OPTION_LATE));
	TRY(socket_options_apply(socket->file->fd, &options, OPTION_LAST));
	TRY(apply_all_flags(socket));
	return socket_set_user(r, socket->file);
}

/* --- connected pairs --- */

/* Two ends that are connected. b may be closed: then NULL, and a holds our descriptor of it until its queue is filled.
 */
struct pair {
	struct unix_socket *a, *b;
};

static void set_pair(const struct pair *pair, int a, int b)
{
	pair->a->file->fd = a;
	if (pair->b)
		pair->b->file->fd = b;
	else
		pair->a->closed_end = b;
}

static int fill_pair(struct restore *r, const struct pair *pair)
{
	AUTO_CLOSE int closed_end = TAKE_FD(pair->a->closed_end);

	TRY(fill_queue(r, pair->a, pair->b ? pair->b->file->fd : closed_end));
	if (pair->b)
		TRY(fill_queue(r, pair->b, pair->a->file->fd));
	return 0;
}

static int complete_held(struct restore *r, const struct pair *pair)
{
	TRY(fill_pair(r, pair));
	TRY(complete_socket(r, pair->a));
	return pair->b ? complete_socket(r, pair->b) : 0;
}

static int complete_pair(struct restore *r, const struct pair *pair)
{
	hold_peer(pair->a);
	if (pair->b)
		hold_peer(pair->b);
	TRY(complete_held(r, pair));
	release_peer(r, pair->a);
	if (pair->b)
		release_peer(r, pair->b);
	return 0;
}

/* To fill a queue takes other buffers, and credentials. */
static void note_fresh(struct restore *r, const struct pair *pair)
{
	const bool fresh = !unix_has_queue(r, pair->a) && !(pair->b && unix_has_queue(r, pair->b));

	pair->a->fresh = fresh;
	pair->a->made_flags = O_RDWR | ((int)pair->a->entry->flags & O_NONBLOCK);
	if (!pair->b)
		return;
	pair->b->fresh = fresh;
	pair->b->made_flags = pair->a->made_flags;
}

static int make_socketpair(struct restore *r, const struct pair *pair)
{
	int ends[2];

	TRY(unix_socketpair(r, pair->a, pair->b, ends));
	set_pair(pair, ends[0], ends[1]);
	note_fresh(r, pair);
	/* bind(2) is allowed on both ends of a pair, as long as they have no name. */
	if (unix_has_name(pair->a->entry))
		TRY(unix_bind(r, pair->a, ends[0]));
	if (pair->b && unix_has_name(pair->b->entry))
		TRY(unix_bind(r, pair->b, ends[1]));
	return 0;
}

/* The client's end: connected to the listener, in the backlog. client NULL: one that nobody has any more. */
static int make_client(struct restore *r, const struct unix_socket *client, const struct unix_socket *listener,
		       int listener_fd, int *ret)
{
	AUTO_CLOSE int fd = -1;

	TRY(new_socket(client ? client : listener, &fd));
	if (client && unix_has_name(client->entry))
		TRY(unix_bind(r, client, fd));
	TRY(unix_connect(r, client, fd, listener, listener_fd));
	*ret = TAKE_FD(fd);
	return 0;
}

/* a was made by accept(2): its name is the listener's. */
static int make_accepted(struct restore *r, const struct pair *pair, const struct unix_socket *listener,
			 int listener_fd)
{
	AUTO_CLOSE int client = -1;
	int accepted;

	TRY(make_client(r, pair->b, listener, listener_fd, &client));
	accepted = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (accepted < 0)
		return fail_errno("cannot accept a connection made by ourselves");
	set_pair(pair, accepted, TAKE_FD(client));
	return 0;
}

/* The listener is gone: another one of the same name lives for a moment, where nobody sees it. */
static int make_accepted_alone(struct restore *r, const struct pair *pair)
{
	AUTO_CLOSE int listener = -1;

	TRY(new_socket(pair->a, &listener));
	TRY(unix_bind_hidden(pair->a->entry, listener));
	TRY(unix_listen(r, pair->a, listener, 1));
	return make_accepted(r, pair, pair->a, listener);
}

/* A connection of the client to its service: the one that restores it takes the other end, service or not. */
static int make_service(struct restore *r, struct unix_socket *socket)
{
	struct pair pair = { socket, NULL };

	TRY(make_socketpair(r, &pair));
	if (r->client < 0)
		r->client = TAKE_FD(socket->closed_end);
	return complete_pair(r, &pair);
}

static int make_stream(struct restore *r, struct unix_socket *socket)
{
	struct pair pair = { socket, socket->peer };
	int fd;

	if (socket->peer && socket->peer->listener)
		return file_get_fd(r, socket->peer->listener->file, &fd);
	if (socket->listener)
		return file_get_fd(r, socket->listener->file, &fd);
	if (socket->peer && unix_has_name(socket->peer->entry) && !unix_has_name(socket->entry))
		pair = (struct pair){ socket->peer, socket };
	TRY(unix_has_name(pair.a->entry) ? make_accepted_alone(r, &pair) : make_socketpair(r, &pair));
	return complete_pair(r, &pair);
}

/* --- listeners --- */

static int make_backlog(struct restore *r, const struct unix_socket *listener, bool waiting)
{
	struct unix_socket *socket;

	list_for_each(socket, &listener->clients, client) {
		struct pair pair = { socket, socket->peer };

		if (socket->waiting != waiting)
			continue;
		LOG_SCOPE("file %u (unix socket)", socket->file->id);
		if (waiting)
			TRY(make_client(r, socket, listener, listener->file->fd, &socket->file->fd));
		else
			TRY(make_accepted(r, &pair, listener, listener->file->fd));
	}
	return 0;
}

/* The queue of a connection that waits belongs to the one who will accept it. */
static int complete_waiting(struct restore *r, struct unix_socket *client)
{
	LOG_SCOPE("file %u (unix socket)", client->file->id);
	if (unix_has_queue(r, client))
		TRY(socket_options_make_capacity(client->file->fd, CAPACITY_BYTES, 0));
	TRY(unix_fill_queue(r, client, client->file->fd));
	return complete_socket(r, client);
}

static int complete_backlog(struct restore *r, const struct unix_socket *listener)
{
	struct unix_socket *socket;

	list_for_each(socket, &listener->clients, client) {
		hold_peer(socket);
		if (socket->peer)
			hold_peer(socket->peer);
	}
	list_for_each(socket, &listener->clients, client) {
		struct pair pair = { socket, socket->peer };

		TRY(socket->waiting ? complete_waiting(r, socket) : complete_pair(r, &pair));
	}
	/* A client that nobody has, as it was closed before it was accepted, goes here. */
	list_for_each(socket, &listener->clients, client) {
		release_peer(r, socket);
		if (socket->peer)
			release_peer(r, socket->peer);
	}
	return 0;
}

static int make_listener(struct restore *r, struct unix_socket *socket)
{
	AUTO_CLOSE int fd = -1;

	TRY(new_socket(socket, &fd));
	TRY(unix_bind(r, socket, fd));
	/* Those that were accepted come first, each is taken out again at once; then the ones that still wait, in their
	 * order. */
	TRY(unix_listen(r, socket, fd, SOMAXCONN));
	socket->file->fd = TAKE_FD(fd);
	TRY(make_backlog(r, socket, false));
	TRY(make_backlog(r, socket, true));
	hold_peer(socket);
	TRY(complete_backlog(r, socket));
	TRY(unix_listen(r, socket, socket->file->fd, (int)socket->entry->backlog));
	TRY(complete_socket(r, socket));
	release_peer(r, socket);
	return 0;
}

/* --- datagram sockets --- */

static int connect_datagram(struct restore *r, struct unix_socket *socket);

static bool is_mutual(const struct unix_socket *socket)
{
	return socket->peer && socket->peer->peer == socket && socket->peer != socket;
}

/* Made and bound, not connected; both ends if they are each other's peers. Unread messages of a socket without a peer
 * are put in. */
static int make_datagram(struct restore *r, struct unix_socket *socket)
{
	struct pair pair = { socket, is_mutual(socket) ? socket->peer : NULL };
	/* A name is enough to become connected, by others; without one it takes a peer, which is closed if it is not
	 * there. */
	bool closed = !socket->peer && !unix_has_name(socket->entry) && socket->entry->state == TCP_ESTABLISHED;
	AUTO_CLOSE int sender = -1;

	if (socket->file->fd >= 0)
		return 0;
	if (pair.b || closed || (unix_has_queue(r, socket) && !unix_has_name(socket->entry))) {
		TRY(make_socketpair(r, &pair));
		return pair.b ? 0 : fill_pair(r, &pair);
	}
	TRY(new_socket(socket, &socket->file->fd));
	if (unix_has_name(socket->entry))
		TRY(unix_bind(r, socket, socket->file->fd));
	if (!unix_has_queue(r, socket))
		return 0;
	TRY(new_socket(socket, &sender));
	TRY(unix_connect(r, NULL, sender, socket, socket->file->fd));
	return fill_queue(r, socket, sender);
}

/* A socket with a peer takes connections from that one only: all others are connected before. */
static int connect_clients(struct restore *r, struct unix_socket *socket)
{
	struct unix_socket *client;

	list_for_each(client, &socket->clients, client)
		if (client != socket->peer)
			TRY(connect_datagram(r, client));
	return 0;
}

static int connect_held(struct restore *r, struct unix_socket *socket)
{
	struct unix_socket *peer = socket->peer;

	TRY(make_datagram(r, socket));
	TRY(connect_clients(r, socket));
	if (peer && !is_mutual(socket)) {
		if (peer->entry->uflags & UNIX_EXTERN) {
			TRY(unix_connect_outside(r, socket, socket->file->fd));
		} else {
			TRY(make_datagram(r, peer));
			TRY(unix_connect(r, socket, socket->file->fd, peer, peer->file->fd));
		}
	}
	if (is_mutual(socket) && !peer->connected) {
		struct pair pair = { socket, peer };

		peer->connected = true;
		TRY(connect_clients(r, peer));
		return complete_pair(r, &pair);
	}
	TRY(complete_socket(r, socket));
	/* It is open now, so nobody would ask for it to be made any more. */
	return peer && !(peer->entry->uflags & UNIX_EXTERN) ? connect_datagram(r, peer) : 0;
}

static int connect_datagram(struct restore *r, struct unix_socket *socket)
{
	if (socket->connected)
		return 0;
	socket->connected = true;
	LOG_SCOPE("file %u (unix socket)", socket->file->id);
	hold_peer(socket);
	TRY(connect_held(r, socket));
	release_peer(r, socket);
	return 0;
}

/* --- all --- */

static int make_unconnected(struct restore *r, struct unix_socket *socket)
{
	AUTO_CLOSE int fd = -1;

	TRY(new_socket(socket, &fd));
	if (unix_has_name(socket->entry))
		TRY(unix_bind(r, socket, fd));
	socket->file->fd = TAKE_FD(fd);
	return complete_socket(r, socket);
}

static int make_inherited(struct restore *r, struct unix_socket *socket)
{
	char key[32];

	snprintf(key, sizeof(key), "socket:[%u]", socket->entry->ino);
	return given_descriptor(r, key, &socket->file->fd);
}

static int connect_outside(struct restore *r, struct unix_socket *socket)
{
	AUTO_CLOSE int fd = -1;

	TRY(new_socket(socket, &fd));
	if (unix_has_name(socket->entry))
		TRY(unix_bind(r, socket, fd));
	TRY(unix_connect_outside(r, socket, fd));
	socket->file->fd = TAKE_FD(fd);
	return complete_socket(r, socket);
}

/* False: no plugin has one for us, and the ordinary ways are tried. */
static bool take_from_plugin(struct restore *r, struct unix_socket *socket)
{
	int fd = plugins_ask(r->plugins, RESTORE_UNIX_SK, (int)socket->entry->ino);

	if (fd < 0)
		return false;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	socket->file->fd = fd;
	return true;
}

int unix_create(struct restore *r, struct unix_socket *socket)
{
	int inherited = make_inherited(r, socket);

	if (inherited != -ENOENT)
		return inherited;
	if (socket->entry->uflags & UNIX_CALLBACK && take_from_plugin(r, socket))
		return complete_socket(r, socket);
	if (socket->entry->uflags & UNIX_EXTERN)
		return refuse(ENOENT,
			      "this socket is not part of the checkpoint; give one with --inherit-fd fd[N]:socket:[%u]",
			      socket->entry->ino);
	if (!unix_is_stream(socket->entry))
		return connect_datagram(r, socket);
	if (socket->entry->state == TCP_LISTEN)
		return make_listener(r, socket);
	if (socket->entry->uflags & UNIX_SERVICE)
		return make_service(r, socket);
	if (socket->entry->state != TCP_ESTABLISHED)
		return make_unconnected(r, socket);
	if (socket->peer && socket->peer->entry->uflags & UNIX_EXTERN)
		return connect_outside(r, socket);
	return make_stream(r, socket);
}
