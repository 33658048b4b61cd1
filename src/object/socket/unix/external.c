/* SPDX-License-Identifier: GPL-2.0-only */
/* Unix sockets whose peer is a process outside of the tree. */
#include "object/socket/unix/external.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "kern/net/sockdiag.h"
#include "kern/pidfd.h"
#include "object/socket/socket.h"
#include "object/socket/unix/holder.h"
#include "object/socket/unix/journal.h"
#include "object/socket/unix/name.h"
#include "object/socket/unix/outside.h"
#include "object/socket/unix/unix.h"
#include "plugin/plugin.h"
#include "session/given.h"
#include "session/loss.h"

static ProtobufCBinaryData name_of(const struct unix_diag *peer)
{
	return (ProtobufCBinaryData){ peer->name_size, (uint8_t *)peer->name };
}

static void print_peer(const struct unix_diag *peer, char *to, size_t capacity)
{
	const ProtobufCBinaryData name = name_of(peer);

	unix_print_name(&name, to, capacity);
}

static bool is_allowed(const struct dump *d, const struct unix_diag *peer)
{
	const struct options *options = d->options;
	char key[32];

	snprintf(key, sizeof(key), "unix[%u]", peer->ino);
	if (given_is_external(options, key))
		return true;
	for (size_t i = 0; i < options->ext_unix_inodes.n; i++)
		if (options->ext_unix_inodes.items[i] == peer->ino)
			return true;
	/* A datagram socket can be connected again at any time; the other end of a stream would have to agree. */
	return options->ext_unix_sk && peer->type == SOCK_DGRAM;
}

#define HOLDERS_MAX 20 /* whose processes are looked for, by a walk through /proc each */

/* False: nobody has it, and it is most likely in the queue of another socket, which nobody has looked into. */
static bool describe_peer(const struct dump *d, const struct unix_diag *peer, char *to, size_t capacity)
{
	struct unix_dump *dump = unix_dump_of(d);

	if (dump->n_described++ < HOLDERS_MAX)
		return unix_describe_holder(peer->ino, to, capacity) || dump->n_drained >= dump->n;
	snprintf(to, capacity, "a process");
	return true;
}

static int refuse_peer(const struct dump *d, const struct unix_diag *peer)
{
	char holder[96], key[48] = "", name[128];

	if (!describe_peer(d, peer, holder, sizeof(holder)))
		return 0;
	print_peer(peer, name, sizeof(name));
	if (peer->type != SOCK_DGRAM)
		snprintf(key, sizeof(key), ", or with --external unix[%u]", peer->ino);
	return refuse(EBUSY,
		      "this unix socket is connected to %s, which is outside of the tree; close it, take that process "
		      "into the tree, or dump with --unix-peer close (restored as if that had ended)%s%s%s%s",
		      holder, *name ? ", --unix-peer reconnect:" : ", --unix-peer given", name,
		      peer->type == SOCK_DGRAM ? ", or with --ext-unix-sk to connect it again at restore" : "", key);
}

/* 1: a plugin will bring it back, 0: none wants to. */
static int ask_plugins(struct dump *d, const struct unix_dumped *socket)
{
	AUTO_CLOSE int fd = -1;
	int answer;

	fd = pidfd_take_fd(socket->task->dump->pidfd, socket->task_fd);
	if (fd < 0)
		return fail(-fd, "taking a copy of its descriptor");
	answer = plugins_ask(d->plugins, DUMP_UNIX_SK, fd, (int)socket->entry->ino);
	if (answer == -EOPNOTSUPP)
		return 0;
	return answer < 0 ? plugins_fail(d->plugins, answer) : 1;
}

int unix_check_waiting(const struct dump *d, const struct unix_dumped *listener, uint32_t client)
{
	const struct unix_diag outside = { .ino = client, .type = (uint8_t)listener->entry->type };
	const ProtobufCBinaryData nameless = name_of(&outside);
	enum opt_unix_peer_mode mode = OPT_PEER_REFUSE;
	bool is_said = unix_peer_mode(d->options, &nameless, listener->entry->ino, client, &mode);
	char holder[96];

	if (is_said ? mode == OPT_PEER_CLOSE : is_allowed(d, &outside) || d->options->ext_unix_sk) {
		dump_report_loss(
			d,
			"a connection from outside of the tree (socket %u) that waits for accept(2): it will be closed",
			client);
		return 0;
	}
	unix_describe_holder(client, holder, sizeof(holder));
	return refuse(EBUSY,
		      "a connection of %s, which is outside of the tree, waits for accept(2) here; try again when it "
		      "was accepted and closed, or dump with --unix-peer close, or --external unix[%u], to have it "
		      "closed",
		      holder, client);
}

/* The entry of the other end holds what is needed to find it again: its name. */
static void add_peer(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer,
		     const ProtobufCBinaryData *name)
{
	struct unix_dumped *dumped;
	FileEntry *file;
	UnixSkEntry *entry;

	if (table_find(unix_dump_of(d)->by_ino, peer->ino))
		return; /* that of another socket, too */
	dumped = pool_new(d->pool, struct unix_dumped);
	file = file_add_entry(d, FD_TYPES__UNIXSK, offsetof(FileEntry, usk));
	entry = file->usk;
	entry->id = file->id;
	entry->ino = peer->ino;
	entry->type = peer->type;
	entry->state = peer->state;
	entry->flags = O_RDWR;
	entry->uflags = UNIX_EXTERN;
	entry->fown = pool_new(d->pool, FownEntry);
	fown_entry__init(entry->fown);
	entry->opts = socket_new_options(d->pool);
	entry->name = *name;
	entry->has_ns_id = true;
	entry->ns_id = socket->entry->ns_id;
	dumped->diag = peer;
	dumped->entry = entry;
	dumped->listener_fd = -1;
	table_set(unix_dump_of(d)->by_ino, peer->ino, dumped);
}

/* Names of files end with NUL in the records; the kernel's table leaves it out. */
static void copy_name(const struct dump *d, const uint8_t *name, size_t size, ProtobufCBinaryData *ret)
{
	ret->len = size + (size && name[0] ? 1 : 0);
	ret->data = pool_alloc(d->pool, ret->len + 1);
	if (size)
		memcpy(ret->data, name, size);
	ret->data[size] = '\0';
}

/* A name that is relative to some directory of the peer's becomes where its file is. */
static int find_name(const struct dump *d, const struct unix_diag *peer, ProtobufCBinaryData *ret)
{
	char path[PATH_MAX];

	copy_name(d, peer->name, peer->name_size, ret);
	if (!ret->len || !ret->data[0] || ret->data[0] == '/')
		return 0;
	if (unix_find_path(peer->ino, path, sizeof(path)) < 0 ||
	    strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return refuse(
			EDESTADDRREQ,
			"its peer outside of the tree was bound to the relative name %s, and where that is cannot "
			"be found out: dump with --unix-peer close",
			(const char *)ret->data);
	copy_name(d, (const uint8_t *)path, strlen(path), ret);
	return 0;
}

static bool is_socket(int root, const char *path)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	AUTO_CLOSE int file = root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	struct stat st;

	return file >= 0 && fstat(file, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Is the name there, for the task or at least for us? */
static int check_name(const struct unix_dumped *socket, UnixOutside *outside)
{
	const char *name = (const char *)outside->name.data;
	AUTO_CLOSE int root = openat(socket->task->dump->proc, "root", O_PATH | O_CLOEXEC);
	AUTO_CLOSE int own = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (!outside->name.len)
		return refuse(EDESTADDRREQ, "its peer outside of the tree has no name that could be connected to at "
					    "restore: dump with --unix-peer close, or --unix-peer given");
	if (!name[0] || is_socket(root, name))
		return 0;
	outside->has_of_host = outside->of_host = true;
	if (is_socket(own, name))
		return 0;
	return refuse(ENOENT,
		      "there is no socket %s any more, to which it could be connected at restore: dump with "
		      "--unix-peer close",
		      name);
}

static void tell_close(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer)
{
	char holder[96], name[128];

	(void)describe_peer(d, peer, holder, sizeof(holder));
	print_peer(peer, name, sizeof(name));
	dump_report_loss(d,
			 "the connection of unix socket %u to %s%s%s, which is outside of the tree: it will be "
			 "closed",
			 socket->entry->ino, holder, *name ? ", " : "", name);
}

/* What nobody can put into the queue of another connection. */
static void tell_unread(const struct dump *d, const struct unix_dumped *socket, bool is_given)
{
	if (socket->diag->rqueue && (is_given || unix_is_stream(socket->entry)))
		dump_report_loss(d,
				 "%u unread bytes of unix socket %u, whose peer is outside of the tree: the connection "
				 "will be a new one",
				 socket->diag->rqueue, socket->entry->ino);
}

static int reconnect_later(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer,
			   UnixOutside *outside)
{
	const char *greeting = unix_journal_greeting(d, socket, peer);

	TRY(check_name(socket, outside));
	tell_unread(d, socket, false);
	if (greeting) {
		outside->has_greeting = true;
		outside->greeting.data = (uint8_t *)greeting;
		outside->greeting.len = strlen(greeting);
	}
	add_peer(d, socket, peer, &outside->name);
	return 0;
}

static int dump_by_mode(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer,
			enum opt_unix_peer_mode mode)
{
	UnixOutside *outside = socket->entry->outside = pool_new(d->pool, UnixOutside);

	unix_outside__init(outside);
	/* Nothing can pass any more: it is as good as closed. */
	if (mode == OPT_PEER_RECONNECT && socket->diag->shutdown == 3)
		mode = OPT_PEER_CLOSE;
	outside->how = mode;
	outside->has_ino = true;
	outside->ino = peer->ino;
	outside->has_unread = socket->diag->rqueue != 0;
	outside->unread = socket->diag->rqueue;
	if (mode == OPT_PEER_CLOSE)
		copy_name(d, peer->name, peer->name_size, &outside->name);
	else
		TRY(find_name(d, peer, &outside->name));
	outside->has_name = outside->name.len != 0;
	if (mode == OPT_PEER_RECONNECT)
		return reconnect_later(d, socket, peer, outside);
	if (mode == OPT_PEER_CLOSE) {
		tell_close(d, socket, peer);
		socket->entry->peer = 0;
		return 0;
	}
	tell_unread(d, socket, true);
	add_peer(d, socket, peer, &outside->name);
	return 0;
}

static int dump_unplugged(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer)
{
	ProtobufCBinaryData name = name_of(peer);
	enum opt_unix_peer_mode mode;

	if (unix_peer_mode(d->options, &name, socket->entry->ino, peer->ino, &mode))
		return mode == OPT_PEER_REFUSE ? refuse_peer(d, peer) : dump_by_mode(d, socket, peer, mode);
	if (!is_allowed(d, peer))
		return refuse_peer(d, peer);
	if (!peer->name_size)
		log_warn("The socket at the other end (inode %u) has no name: restore will need --inherit-fd "
			 "fd[N]:socket:[%u]",
			 peer->ino, socket->entry->ino);
	if (unix_journal_greeting(d, socket, peer))
		log_warn("journald takes the first lines of the new connection for the name of the program and the "
			 "like: "
			 "dump with --unix-peer reconnect, and it is told");
	TRY(find_name(d, peer, &name));
	tell_unread(d, socket, !peer->name_size);
	add_peer(d, socket, peer, &name);
	return 0;
}

/* A connection that plugins are asked about when all was looked at: one that is asked saves it. */
struct unix_question {
	struct unix_question *next;
	const struct unix_dumped *socket;
	const struct unix_diag *peer;
};

int unix_dump_external(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer)
{
	struct unix_question *question;

	/* Without a number it is in the queue of another socket. */
	if (socket->task_fd < 0 || !plugins_have(d->plugins, CR_PLUGIN_HOOK__DUMP_UNIX_SK))
		return dump_unplugged(d, socket, peer);
	question = pool_new(d->pool, struct unix_question);
	*question = (struct unix_question){ unix_dump_of(d)->questions, socket, peer };
	unix_dump_of(d)->questions = question;
	return 0;
}

static int ask_about_socket(struct dump *d, const struct unix_question *question)
{
	const struct unix_dumped *socket = question->socket;
	ProtobufCBinaryData name;
	int taken;

	LOG_SCOPE("task %d (%s): fd %d", socket->task->vpid, socket->task->comm, socket->task_fd);
	taken = ask_plugins(d, socket);
	TRY(taken);
	if (!taken)
		return dump_unplugged(d, socket, question->peer);
	socket->entry->uflags |= UNIX_CALLBACK;
	copy_name(d, question->peer->name, question->peer->name_size, &name);
	add_peer(d, socket, question->peer, &name);
	return 0;
}

int unix_dump_ask(struct dump *d)
{
	for (const struct unix_question *question = unix_dump_of(d)->questions; question; question = question->next)
		TRY(ask_about_socket(d, question));
	return 0;
}
