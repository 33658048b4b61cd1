/* SPDX-License-Identifier: GPL-2.0-only */
/* What several subjects need to build their state and to look at it: files, mounts, sockets. Failures end the subject.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* A new or emptied file with this text, open for reading and writing; and closed again. */
int open_with_text(const char *path, const char *text);
void write_text(const char *path, const char *text);
/* Whether that is all of a file, or its beginning where it is long. */
bool has_text(int fd, const char *text);
bool reads_text(const char *path, const char *text);
/* open(2) of a path made by printf(3). */
int open_formatted(int flags, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The maps of the user namespace that a process lives in. */
void write_id_maps(pid_t pid, const char *users, const char *groups);
/* The mount that an open file is on. */
int mount_of(int fd);

/* A number that is an option of a socket. */
int socket_option(int fd, int level, int name);
void set_socket_option(int fd, int level, int name, int value);
/* Sends a text; receives one, which must be there already and be this one. */
void send_text(int fd, const char *text);
void receive_text(int fd, const char *text);
/* Reads one byte from a socket with SO_PASSCRED; returns the pid of its sender. */
pid_t receive_with_sender(int fd, char *ret_byte);
/* TCP_ESTABLISHED, ... of a TCP socket; how many connections wait for accept(2) at a listener. */
int tcp_state(int fd);
unsigned tcp_waiting(int listener);
/* A TCP connection over loopback, and the socket that listened for it. */
struct tcp_pair {
	int listener, client, server;
};
struct tcp_pair connect_over_loopback(void);
