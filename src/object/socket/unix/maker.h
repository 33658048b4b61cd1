/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls that leave the ids of the caller in a unix socket (SO_PEERCRED). */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct restore;
struct sockaddr_un;
struct task;
struct unix_set;
struct unix_socket;

struct unix_target {
	int file; /* O_PATH of the socket file, or -1: by its address */
	struct sockaddr_un address;
	socklen_t size;
};

/* Calls that leave the caller's ids in the socket. */
int unix_listen(struct restore *r, const struct unix_socket *socket, int fd, int backlog);
int unix_connect_as(struct restore *r, const struct unix_socket *client, int fd,
		    const struct unix_target *target); /* -errno, unlogged */
/* Whether the task makes sockets with the ids that it has until it is complete. */
bool unix_maker_is_itself(const struct restore *r, const struct task *task);
void unix_maker_done(struct unix_set *set);
int unix_socketpair(struct restore *r, const struct unix_socket *a, const struct unix_socket *b, int ends[2]);
