/* SPDX-License-Identifier: GPL-2.0-only */
/* Unix sockets whose peer is a process outside of the tree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "kern/net/sockdiag.h"
#include "kern/pidfd.h"
#include "object/socket/socket.h"
#include "object/socket/unix/unix.h"
#include "plugin/plugin.h"
#include "session/given.h"

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

static int find_holder(int proc, const char *link)
{
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(proc, "fd", &numbers);
	char path[32], text[64];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "fd/%d", numbers[i]);
		if (file_readlink(proc, path, text, sizeof(text)) > 0 && !strcmp(text, link))
			return numbers[i];
	}
	return -1;
}

/* "fd 5 of process 312 (dbus-daemon)", found by a walk through /proc: this is the way to a failure, time does not
   matter. False: nobody has it. */
static bool describe_holder(uint32_t ino, char *to, size_t capacity)
{
	AUTO_CLOSEDIR DIR *dir = opendir("/proc");
	char link[32], comm[32];

	snprintf(link, sizeof(link), "socket:[%u]", ino);
	snprintf(to, capacity, "a process that cannot be found");
	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		AUTO_CLOSE int proc = -1;
		int fd;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		proc = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd = proc >= 0 ? find_holder(proc, link) : -1;
		if (fd < 0)
			continue;
		if (file_read_text(proc, "comm", comm, sizeof(comm)) < 0)
			strcpy(comm, "?");
		comm[strcspn(comm, "\n")] = '\0';
		snprintf(to, capacity, "fd %d of process %.10s (%s)", fd, entry->d_name, comm);
		return true;
	}
	return false;
}

#define HOLDERS_MAX 20 /* whose processes are looked for, when one failure is not the end */

static int refuse_peer(const struct dump *d, const struct unix_diag *peer)
{
	const char *way = peer->type == SOCK_DGRAM
				  ? "dump with --ext-unix-sk to connect it again at restore"
				  : "close it, take that process into the tree, or dump with --external";
	char holder[96], key[32] = "";

	if (unix_dump_of(d)->n_refused++ >= HOLDERS_MAX)
		snprintf(holder, sizeof(holder), "a process");
	else if (!describe_holder(peer->ino, holder, sizeof(holder)) && unix_dump_of(d)->n_drained < unix_dump_of(d)->n)
		return 0; /* it is in the queue of another socket, which nobody has looked into */
	if (peer->type != SOCK_DGRAM)
		snprintf(key, sizeof(key), " unix[%u]", peer->ino);
	return refuse(EBUSY, "this unix socket is connected to %s, which is outside of the tree; %s%s", holder, way,
		      key);
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
	if (answer == -ENOTSUP)
		return 0;
	return answer < 0 ? plugins_fail(d->plugins, answer) : 1;
}

int unix_check_waiting(const struct dump *d, const struct unix_dumped *listener, uint32_t client)
{
	const struct unix_diag outside = { .ino = client, .type = (uint8_t)listener->entry->type };
	char holder[96];

	if (is_allowed(d, &outside) || d->options->ext_unix_sk) {
		log_warn("A connection from outside of the tree (socket %u) waits for accept(2): it will be closed",
			 client);
		return 0;
	}
	describe_holder(client, holder, sizeof(holder));
	return refuse(EBUSY,
		      "a connection of %s, which is outside of the tree, waits for accept(2) here; try again when it "
		      "was accepted "
		      "and closed, or dump with --external unix[%u] to have it closed",
		      holder, client);
}

/* The entry of the other end holds what is needed to find it again: its name. */
static void add_peer(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer)
{
	struct unix_dumped *dumped = pool_new(d->pool, struct unix_dumped);
	FileEntry *file;
	UnixSkEntry *entry;

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
	/* Names of files end with NUL in the records; the kernel's table leaves it out. */
	entry->name.len = peer->name_size + (peer->name_size && peer->name[0] ? 1 : 0);
	entry->name.data = pool_alloc(d->pool, entry->name.len + 1);
	memcpy(entry->name.data, peer->name, peer->name_size);
	entry->has_ns_id = true;
	entry->ns_id = socket->entry->ns_id;
	dumped->diag = peer;
	dumped->entry = entry;
	dumped->listener_fd = -1;
	table_set(unix_dump_of(d)->by_ino, peer->ino, dumped);
}

static int dump_unplugged(const struct dump *d, const struct unix_dumped *socket, const struct unix_diag *peer)
{
	if (!is_allowed(d, peer))
		return refuse_peer(d, peer);
	if (!peer->name_size)
		log_warn("The socket at the other end (inode %u) has no name: restore will need --inherit-fd "
			 "fd[N]:socket:[%u]",
			 peer->ino, socket->entry->ino);
	add_peer(d, socket, peer);
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
	if (socket->task_fd < 0 || !d->plugins)
		return dump_unplugged(d, socket, peer);
	question = pool_new(d->pool, struct unix_question);
	*question = (struct unix_question){ unix_dump_of(d)->questions, socket, peer };
	unix_dump_of(d)->questions = question;
	return 0;
}

static int ask_about_socket(struct dump *d, const struct unix_question *question)
{
	const struct unix_dumped *socket = question->socket;
	int taken;

	LOG_SCOPE("task %d: fd %d", socket->task->pid, socket->task_fd);
	if (table_find(unix_dump_of(d)->by_ino, question->peer->ino))
		return 0;
	taken = ask_plugins(d, socket);
	TRY(taken);
	if (!taken)
		return dump_unplugged(d, socket, question->peer);
	socket->entry->uflags |= UNIX_CALLBACK;
	add_peer(d, socket, question->peer);
	return 0;
}

int unix_dump_ask(struct dump *d)
{
	for (const struct unix_question *question = unix_dump_of(d)->questions; question; question = question->next)
		TRY(ask_about_socket(d, question));
	return 0;
}
