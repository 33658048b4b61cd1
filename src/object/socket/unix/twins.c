/* SPDX-License-Identifier: GPL-2.0-only */
/* Pairs of unix sockets to which nothing has happened since socketpair(2): their task makes them so. */
#include "object/socket/unix/twins.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/auto.h"
#include "object/net/net.h"
#include "object/socket/options.h"
#include "object/socket/queue.h"
#include "object/socket/unix/maker.h"
#include "object/socket/unix/unix.h"
#include "plan/plan.h"

static bool ask_buffers(struct unix_set *set, int fd)
{
	socklen_t size = sizeof(uint32_t);

	return fd >= 0 && !getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &set->buffers.send, &size) &&
	       !getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &set->buffers.receive, &size);
}

bool unix_learn_buffers(struct restore *r, uint32_t ns_id, int fd)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	struct unix_set *set = unix_set_of(r);
	AUTO_CLOSE int own = -1;

	if (set->buffers.known && set->buffers.ns_id == ns_id)
		return true;
	if (fd < 0 && network_restore_enter(r, ns_id, &entered) == 0)
		own = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	set->buffers.known = ask_buffers(set, fd < 0 ? own : fd);
	set->buffers.ns_id = ns_id;
	return set->buffers.known;
}

static bool is_untouched(struct restore *r, const struct unix_socket *socket)
{
	const UnixSkEntry *entry = socket->entry;
	const struct unix_set *set = unix_set_of(r);
	const struct socket_options options = {
		.family = AF_UNIX,
		.type = (int)entry->type,
		.common = entry->opts,
		.is_fresh = true,
		.fresh_sndbuf = set->buffers.send,
		.fresh_rcvbuf = set->buffers.receive,
	};

	return !entry->uflags && !unix_has_name(entry) && entry->state == TCP_ESTABLISHED && !socket->listener &&
	       !socket->waiting && !socket->new_queue && !socket->outside_how && !entry->has_shutdown &&
	       (entry->flags & ~(uint32_t)O_NONBLOCK) == O_RDWR && !entry->fown->signum && !entry->fown->pid &&
	       !unix_has_queue(r, socket) && socket_options_are_fresh(&options);
}

/* In the network namespace that the task is in. */
static bool is_at_home(const struct unix_socket *socket)
{
	const struct task *task = socket->file->owner;

	return task && task->ids && task->ids->has_net_ns_id && task->ids->net_ns_id == socket->entry->ns_id;
}

bool unix_twins(struct restore *r, struct file *f, struct file_twins *ret)
{
	const struct unix_socket *socket = f->data, *peer = socket->peer;

	if (!peer || peer == socket || peer->peer != socket || !unix_is_stream(socket->entry) ||
	    peer->entry->flags != socket->entry->flags || peer->entry->ns_id != socket->entry->ns_id ||
	    !unix_maker_is_itself(r, f->owner) || !is_at_home(socket) ||
	    !unix_learn_buffers(r, socket->entry->ns_id, -1) || !is_untouched(r, socket) || !is_untouched(r, peer))
		return false;
	*ret = (struct file_twins){
		.call = __NR_socketpair,
		.flags = (int)(socket->entry->type | (socket->entry->flags & O_NONBLOCK)),
		.mode = 0777,
		.ends = { f, peer->file },
	};
	return true;
}
