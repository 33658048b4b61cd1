/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections that wait for accept(2), dump. Who waits, in which order, is told by sock_diag; what was sent into them
 * already can be read only by the one who accepts them. That cannot be undone, so we do it when all else is saved, and
 * the tasks are about to die.
 */
#include "object/socket/unix/backlog.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "image/image.h"
#include "image/inventory.h"
#include "kern/net/sockdiag.h"
#include "object/socket/queue.h"
#include "object/socket/socket.h"
#include "object/socket/unix/external.h"
#include "object/socket/unix/unix.h"

/* A listener whose backlog will be read at the very end. */
struct unix_early {
	struct unix_early *next;
	const UnixSkEntry *entry;
	int fd; /* a copy, -1 when it was read */
	unsigned n;
	uint32_t *clients; /* file ids, in the order of the backlog; 0: not ours */
};

int unix_hold_listener(struct unix_dumped *dumped, int fd)
{
	if (!dumped->diag->n_waiting)
		return 0;
	dumped->listener_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return dumped->listener_fd < 0 ? fail_errno("duplicating a descriptor") : 0;
}

/*
 * Its client was closed: the record of one that nobody has. Inode numbers of sockets begin at 1, so those at the other
 * end of the range are free.
 */
static uint32_t add_lost_client(const struct dump *d, const struct unix_dumped *listener)
{
	struct unix_dump *dump = unix_dump_of(d);
	FileEntry *file = file_add_entry(d, FD_TYPES__UNIXSK, offsetof(FileEntry, usk));
	UnixSkEntry *entry = file->usk;

	entry->id = file->id;
	do {
		entry->ino = UINT32_MAX - dump->n_lost++;
	} while (table_find(dump->by_ino, entry->ino));
	entry->type = listener->entry->type;
	entry->state = TCP_ESTABLISHED;
	entry->peer = listener->entry->ino;
	entry->flags = O_RDWR;
	entry->fown = pool_new(d->pool, FownEntry);
	fown_entry__init(entry->fown);
	entry->opts = socket_new_options(d->pool);
	entry->opts->so_sndbuf = listener->entry->opts->so_sndbuf;
	entry->opts->so_rcvbuf = listener->entry->opts->so_rcvbuf;
	entry->has_ns_id = true;
	entry->ns_id = listener->entry->ns_id;
	return entry->id;
}

/* The one at place i of the backlog: its file id, 0 if it is not to be restored. ret_early is set if it may have
 * sent something. */
static int find_client(const struct dump *d, const struct unix_dumped *listener, unsigned i, uint32_t *ret_id,
		       bool *ret_early)
{
	uint32_t ino = listener->diag->waiting[i];
	const struct unix_dumped *client = ino ? table_find(unix_dump_of(d)->by_ino, ino) : NULL;

	/* sock_diag tells nothing of the end that the gone client has written to: it may have sent something. */
	if (!ino) {
		*ret_id = add_lost_client(d, listener);
		*ret_early = true;
		return 0;
	}
	if (!client) {
		*ret_id = 0;
		return unix_check_waiting(d, listener, ino);
	}
	client->entry->peer = listener->entry->ino;
	*ret_id = client->entry->id;
	*ret_early |= client->diag->wqueue != 0;
	return 0;
}

int unix_dump_backlog(const struct dump *d, const struct unix_dumped *listener)
{
	struct unix_dump *dump = unix_dump_of(d);
	struct unix_early *early = pool_new(d->pool, struct unix_early);
	bool is_early = false;

	early->entry = listener->entry;
	early->n = listener->diag->n_waiting;
	early->clients = pool_array(d->pool, uint32_t, early->n);
	for (unsigned i = 0; i < early->n; i++)
		TRY(find_client(d, listener, i, &early->clients[i], &is_early));
	/* The order of their records is all that tells in which order they wait. */
	file_dump_reorder(d, early->clients, early->n);
	if (is_early && d->options->end != OPT_END_KILL)
		return refuse(EOPNOTSUPP,
			      "a connection to this unix socket that still waits for accept(2) has data "
			      "inside, or its client is gone and may have left some, which can be read only "
			      "when the tasks are gone: dump without --leave-running and --leave-stopped, or "
			      "try again when it was accepted");
	if (!is_early)
		return 0;
	early->fd = listener->listener_fd;
	early->next = dump->early;
	dump->early = early;
	return 0;
}

static int read_client(struct dump *d, const struct unix_early *early, uint32_t id)
{
	struct pollfd ask = { .fd = early->fd, .events = POLLIN };
	AUTO_CLOSE int fd = -1;

	/* A listener that somebody outside of the tree has as well may have been faster. */
	fd = poll(&ask, 1, 0) == 1 ? accept4(early->fd, NULL, NULL, SOCK_CLOEXEC) : -1;
	if (fd < 0) {
		log_warn("A connection to unix socket %u is gone: what was sent into it before it was accepted is lost",
			 early->entry->ino);
		return 0;
	}
	/* From now on these images are no checkpoint until they have it. */
	if (!d->n_taken++)
		inventory_remove(dump_store(d));
	return id ? unix_dump_early_queue(d, fd, id, early->entry->type) : 0;
}

int unix_dump_take(struct dump *d)
{
	struct unix_dump *dump = unix_dump_of(d);

	if (!dump->early)
		return 0;
	for (struct unix_early *early = dump->early; early; early = early->next) {
		LOG_SCOPE("unix socket %u", early->entry->ino);
		for (unsigned i = 0; i < early->n; i++)
			TRY(read_client(d, early, early->clients[i]));
	}
	return dump->queues ? image_finish(&dump->queues) : 0;
}
