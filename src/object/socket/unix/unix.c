/* SPDX-License-Identifier: GPL-2.0-only */
/* Unix sockets: the record, and who is whose peer. */
#include "object/socket/unix/unix.h"

#include <linux/magic.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "image/image.h"
#include "image/stream.h"
#include "kern/net/sockdiag.h"
#include "object/mount/mount.h"
#include "object/socket/alike.h"
#include "object/socket/inspect.h"
#include "object/socket/needs.h"
#include "object/socket/options.h"
#include "object/socket/queue.h"
#include "object/socket/socket.h"
#include "object/socket/unix/backlog.h"
#include "object/socket/unix/external.h"
#include "object/socket/unix/made.h"
#include "object/socket/unix/maker.h"
#include "object/socket/unix/name.h"
#include "object/socket/unix/outside.h"
#include "object/socket/unix/peer.h"
#include "object/socket/unix/served.h"
#include "object/socket/unix/twins.h"
#include "session/listener.h"
#include "session/mapped.h"
#include "session/survey.h"
#include "session/needs.h"

static bool is_unix(const struct open_file *of)
{
	return socket_is_family(of, AF_UNIX);
}

/* --- dump --- */

static void destroy_dump(void *state)
{
	struct unix_dump *dump = state;
	struct unix_dumped *dumped;

	table_destroy(&dump->by_ino);
	list_for_each(dumped, &dump->all, all)
		auto_close(&dumped->listener_fd);
	image_close(&dump->queues);
}

struct unix_dump *unix_dump_of(const struct dump *d)
{
	static const struct state_type type = { sizeof(struct unix_dump), destroy_dump };
	struct unix_dump *dump = state_find(d->states, &type);

	if (!dump) {
		dump = state_make(d->states, &type);
		list_init(&dump->all);
		dump->by_ino = table_create();
	}
	return dump;
}

static int check_type(const struct unix_diag *diag)
{
	if (diag->type != SOCK_STREAM && diag->type != SOCK_DGRAM && diag->type != SOCK_SEQPACKET)
		return refuse(EOPNOTSUPP, "a unix socket of type %d cannot be saved", diag->type);
	return 0;
}

static struct unix_dumped *remember_socket(const struct dump *d, const struct open_file *of,
					   const struct unix_diag *diag, UnixSkEntry *entry)
{
	struct unix_dump *dump = unix_dump_of(d);
	struct unix_dumped *dumped = pool_new(d->pool, struct unix_dumped);

	dumped->task = of->task;
	dumped->task_fd = of->task_fd;
	dumped->diag = diag;
	dumped->entry = entry;
	dumped->listener_fd = -1;
	list_push(&dump->all, &dumped->all);
	dump->n++;
	table_set(dump->by_ino, diag->ino, dumped);
	return dumped;
}

static bool unix_told(const void *arg, int level, int option, int *ret)
{
	const struct unix_diag *diag = arg;

	if (level != SOL_SOCKET || (option != SO_SNDBUF && option != SO_RCVBUF))
		return false;
	*ret = (int)(option == SO_SNDBUF ? diag->send_buffer : diag->receive_buffer);
	return *ret;
}

/* What the tables of the kernel tell of it; told.diag is NULL if they have it not. */
static int look_up(const struct dump *d, uint64_t ino)
{
	struct unix_dump *dump = unix_dump_of(d);

	if (dump->told.ino == ino)
		return 0;
	dump->told.ino = 0;
	dump->told.alike = NULL;
	TRY(socket_find_unix(d, (uint32_t)ino, &dump->told.diag));
	if (dump->told.diag)
		dump->told.alike = alike_find(d, dump->told.diag);
	dump->told.ino = ino;
	return 0;
}

/* One of a pair, empty, as it was made. */
static bool is_told(const struct dump *d, const struct open_file *of)
{
	const struct unix_dump *dump = unix_dump_of(d);
	const struct unix_diag *diag;

	if (of->facts->family != AF_UNIX || mount_dump_serves(d) || look_up(d, of->facts->ino) < 0)
		return false;
	diag = dump->told.diag;
	return diag && diag->type == SOCK_STREAM && diag->state == TCP_ESTABLISHED && !diag->rqueue && diag->space &&
	       diag->send_buffer && diag->receive_buffer && alike_in_all(dump->told.alike) &&
	       alike_has_no_error(dump->told.alike) && alike_has_no_name(dump->told.alike);
}

static int dump_unix(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	UnixSkEntry *entry = out->usk;
	const struct unix_diag *diag;
	const struct alike *alike;
	struct socket_options options;

	TRY(look_up(d, of->stat.st_ino));
	diag = unix_dump_of(d)->told.diag;
	if (!diag)
		return refuse(ENOENT, "the kernel's table of unix sockets (sock_diag) has no socket %lu",
			      of->stat.st_ino);
	TRY(check_type(diag));
	entry->id = of->id;
	entry->ino = of->stat.st_ino;
	entry->type = diag->type;
	entry->state = diag->state;
	entry->flags = of->flags;
	entry->backlog = diag->wqueue;
	entry->peer = diag->peer;
	entry->fown = of->owner;
	entry->opts = socket_new_options(d->pool);
	entry->has_ns_id = true;
	TRY(socket_namespace_id(d, of, diag->space, &entry->ns_id));
	entry->has_shutdown = diag->shutdown != 0;
	entry->shutdown = (SkShutdown)diag->shutdown;
	alike = unix_dump_of(d)->told.alike;
	options = (struct socket_options){ AF_UNIX,	 diag->type,	0, .common = entry->opts, .told = unix_told,
					   .diag = diag, .alike = alike };
	TRY(socket_options_dump(d, of, &options));
	if (!alike_has_no_error(alike))
		socket_tell_error(d, of);
	if (!alike_has_no_name(alike))
		TRY(unix_dump_name(d, of, entry));
	TRY(unix_check_served(d, of->fd));
	remember_socket(d, of, diag, entry);
	return 0;
}

static int drain_unix(struct dump *d, const struct open_file *of)
{
	struct unix_dumped *dumped = table_find(unix_dump_of(d)->by_ino, of->stat.st_ino);

	unix_dump_of(d)->n_drained++;
	if (dumped->diag->state == TCP_LISTEN)
		return unix_hold_listener(dumped, of->fd);
	/* The kernel lets nobody look into a stream that has no peer; nothing can be in it. */
	if (unix_is_stream(dumped->entry) && dumped->diag->state != TCP_ESTABLISHED)
		return 0;
	/* Messages of no bytes are not counted; a stream has none, unless one comes with descriptors, which the kernel
	 * does not allow. */
	if (dumped->entry->type == SOCK_STREAM && !dumped->diag->rqueue)
		return 0;
	return unix_dump_queue(d, of, dumped->entry);
}

/* The other end is ours: the client dumps itself, and will be answered when it is restored. */
static bool is_service(const struct dump *d, const struct unix_diag *peer)
{
	struct stat st;

	return d->listener && fstat(d->listener->connection, &st) == 0 && st.st_ino == peer->ino;
}

static int finish_service(struct unix_dumped *dumped)
{
	log_info("its peer is the service: it is saved as closed");
	dumped->entry->uflags |= UNIX_SERVICE;
	dumped->entry->state = TCP_CLOSE;
	dumped->entry->peer = 0;
	return 0;
}

/* Another socket of the tree may have led to it before. */
static bool is_outside(const struct unix_dump *dump, uint32_t ino)
{
	const struct unix_dumped *other = table_find(dump->by_ino, ino);

	return !other || other->entry->uflags & UNIX_EXTERN;
}

static int finish_socket(const struct dump *d, struct unix_dumped *dumped)
{
	struct unix_dump *dump = unix_dump_of(d);
	const struct unix_diag *diag = dumped->diag, *other = NULL;

	LOG_SCOPE("task %d (%s): fd %d", dumped->task->vpid, dumped->task->comm, dumped->task_fd);
	if (diag->state == TCP_LISTEN)
		return unix_dump_backlog(d, dumped);
	if (diag->has_peer && !diag->peer)
		TRY(socket_find_listener(d, diag->ino, &other));
	if (other)
		dumped->entry->peer = other->ino;
	else if (diag->peer)
		TRY(socket_find_unix(d, diag->peer, &other));
	if (other && is_service(d, other))
		return finish_service(dumped);
	if (other && is_outside(dump, other->ino))
		return unix_dump_external(d, dumped, other);
	return 0;
}

static int finish_unix(const struct dump *d)
{
	struct unix_dump *dump = unix_dump_of(d);
	struct unix_dumped *dumped;

	list_for_each(dumped, &dump->all, all)
		TRY(dump_go_on(d, finish_socket(d, dumped)));
	return 0;
}

static int write_unix(struct dump *d)
{
	struct unix_dump *dump = unix_dump_of(d);

	TRY(unix_dump_ask(d));
	if (dump->early && dump->queues)
		return image_flush(dump->queues); /* more will follow */
	return dump->queues ? image_finish(&dump->queues) : 0;
}

/* --- restore --- */

static void destroy_restore(void *state)
{
	struct unix_set *set = state;

	unix_maker_done(set);
	table_destroy(&set->by_ino);
	table_destroy(&set->packets);
}

static const struct state_type unix_restore_state = { sizeof(struct unix_set), destroy_restore };

struct unix_set *unix_set_of(const struct restore *r)
{
	return state_find(r->states, &unix_restore_state);
}

static int prepare_unix(const struct restore *r)
{
	struct unix_set *set = state_make(r->states, &unix_restore_state);

	set->by_ino = table_create();
	set->packets = table_create();
	list_init(&set->listeners);
	return unix_load_queues(r);
}

/* Names of files, not abstract ones. The name has its final NUL, if it had one. */
static void map_name(const struct restore *r, ProtobufCBinaryData *data)
{
	const char *name = pool_printf(r->pool, "%.*s", (int)data->len, (const char *)data->data ?: "");
	const char *mapped = *name == '/' ? mapped_path(r, name) : name;
	const bool ends = data->len && !data->data[data->len - 1];

	if (mapped != name) {
		data->data = (uint8_t *)mapped;
		data->len = strlen(mapped) + ends;
	}
}

static void map_names(const struct restore *r, UnixSkEntry *entry)
{
	map_name(r, &entry->name);
	if (entry->outside)
		map_name(r, &entry->outside->name);
	if (entry->name_dir)
		entry->name_dir = (char *)mapped_path(r, entry->name_dir);
}

static int load_unix(const struct restore *r, struct file *f)
{
	UnixSkEntry *entry = f->entry->usk;
	struct unix_socket *socket = pool_new(r->pool, struct unix_socket);

	if (entry->type != SOCK_STREAM && entry->type != SOCK_DGRAM && entry->type != SOCK_SEQPACKET)
		return refuse(EINVAL, "type %u of a unix socket is unknown", entry->type);
	TRY(unix_check_name(entry));
	map_names(r, entry);
	socket->file = f;
	socket->entry = entry;
	socket->closed_end = -1;
	list_init(&socket->clients);
	list_init(&socket->client);
	f->data = socket;
	if (entry->state == TCP_LISTEN && !(entry->uflags & UNIX_EXTERN))
		list_push(&unix_set_of(r)->listeners, &socket->client);
	if (table_set(unix_set_of(r)->by_ino, entry->ino, socket))
		return refuse(EINVAL, "two unix sockets have the inode number %u", entry->ino);
	return 0;
}

static struct unix_socket *find_listener(const struct restore *r, const UnixSkEntry *entry)
{
	struct unix_socket *other;

	if (!unix_has_name(entry))
		return NULL;
	list_for_each(other, &unix_set_of(r)->listeners, client) {
		const UnixSkEntry *name = other->entry;

		if (name->type == entry->type && name->name.len == entry->name.len &&
		    !memcmp(name->name.data, entry->name.data, name->name.len))
			return other;
	}
	return NULL;
}

static int link_unix(const struct restore *r, struct file *f)
{
	struct unix_socket *socket = f->data, *peer = NULL;
	const UnixSkEntry *entry = socket->entry;

	if (entry->peer) {
		peer = table_find(unix_set_of(r)->by_ino, entry->peer);
		if (!peer)
			return refuse(EINVAL, "its peer, socket %u, is not in files.img", entry->peer);
		if (peer->entry->type != entry->type)
			return refuse(EINVAL, "its peer, socket %u, is of another type", entry->peer);
	}
	TRY(unix_link_outside(r, socket, &peer));
	if (!socket->new_queue)
		TRY(unix_use_queue(r, socket));
	if (entry->state == TCP_LISTEN || entry->uflags & UNIX_EXTERN)
		return 0;
	if (peer && peer->entry->state == TCP_LISTEN && !(peer->entry->uflags & UNIX_EXTERN)) {
		socket->waiting = true;
		socket->listener = peer;
	} else {
		socket->peer = peer;
	}
	if (unix_is_stream(entry) && entry->state == TCP_ESTABLISHED && !socket->waiting)
		socket->listener = find_listener(r, entry);
	if (socket->listener)
		list_push(&socket->listener->clients, &socket->client);
	else if (!unix_is_stream(entry) && peer && peer != socket)
		list_push(&peer->clients, &socket->client);
	return 0;
}

static int create_unix(struct restore *r, struct file *f)
{
	return unix_create(r, f->data);
}

static int resume_unix(struct restore *r)
{
	unix_made_keep(r);
	return 0;
}

static int clean_unix(struct restore *r)
{
	unix_made_remove(r);
	state_destroy(r->states, &unix_restore_state);
	return 0;
}

const struct file_kind unix_kind = {
	.name = "unix socket",
	.type = FD_TYPES__UNIXSK,
	.entry = offsetof(FileEntry, usk),
	.format = S_IFSOCK,
	.is = is_unix,
	.is_told = is_told,
	.dump = dump_unix,
	.drain = drain_unix,
	.finish = finish_unix,
	.write = write_unix,
	.prepare = prepare_unix,
	.load = load_unix,
	.link = link_unix,
	.needs = unix_need,
	.copies = unix_copies,
	.describe = unix_describe,
	.inspect = unix_inspect,
	.twins = unix_twins,
	.create = create_unix,
	.resume = resume_unix,
	.clean = clean_unix,
};
