/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of unix sockets: in the file system, relative, removed, abstract. */
#pragma once

#include <sys/socket.h>

#include "sk-unix.pb-c.h"

struct dump;
struct open_file;
struct restore;
struct sockaddr_un;
struct unix_socket;

/* The name, and of a name in the file system its directory, permissions and whether it still leads there. */
int unix_dump_name(const struct dump *d, const struct open_file *of, UnixSkEntry *entry);

/* Has somebody else the abstract name, now? */
int unix_check_free(const UnixSkEntry *entry);

int unix_check_name(const UnixSkEntry *entry);
/* As messages show it: "/run/x", "@abstract", "" if it has none. */
void unix_print_name(const ProtobufCBinaryData *name, char *to, size_t capacity);
/* The root directory of the task that has the socket, when it is not ours: its names start there. -1: it is. */
int unix_open_root(struct restore *r, const struct unix_socket *socket, int *ret);
/* Binds fd to the name of the socket as the tasks see it. An old socket file of nobody is replaced. */
int unix_bind(struct restore *r, const struct unix_socket *socket, int fd);
/* Binds fd to the name where nobody else sees it: getsockname(2) tells the name, but no path leads there. */
int unix_bind_hidden(const UnixSkEntry *entry, int fd);
/* Connects fd, the end of client (NULL: of nobody), to a socket that was bound by us, whatever became of its name. */
int unix_connect(struct restore *r, const struct unix_socket *client, int fd, const struct unix_socket *to, int to_fd);
int unix_connect_name(struct restore *r, const struct unix_socket *client, int fd, const UnixSkEntry *to);

/* The address by which we can send to a socket of ours that has a name. ret_file: must stay open as long as it is used,
 * or -1. */
int unix_address(const struct unix_socket *to, struct sockaddr_un *address, socklen_t *size, int *ret_file);
