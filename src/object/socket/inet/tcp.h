/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP connections, through libsoccr: tcp-stream-*.img. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sk-inet.pb-c.h"
#include "sk-opts.pb-c.h"

struct dump;
struct inet_socket;
struct libsoccr_sk_data;
struct list;
struct open_file;
struct restore;
struct tcp_stream;

/* The states are those of the kernel: TCP_ESTABLISHED, ... */
bool tcp_is_connection(uint32_t state);
int tcp_dump(const struct dump *d, const struct open_file *of, InetSkEntry *entry, struct list *waiting);
int tcp_dump_write(struct dump *d, struct list *waiting);
int tcp_load(const struct restore *r, struct inet_socket *socket);
/* fd is a new socket with its early options; connects it in repair mode. -EAGAIN: to be tried again with another one.
 */
int tcp_restore(struct restore *r, struct inet_socket *socket, int fd);
/* Both of its names, for libsoccr. */
int tcp_set_addresses(struct inet_socket *socket);
/* Of one that was accepted by us: its stream, and the state in its record. ret, of d's pool, is set if it was read,
 * written or not. */
int tcp_save_taken(struct dump *d, int fd, InetSkEntry *entry, struct tcp_stream **ret);
/*
 * How much of its receive buffer a connection offers the kernel learns from the packets that come; a new socket begins
 * with one half. If it then offered less than before, a sender that waits for half of the largest window it has seen
 * would hear of no window that is large enough, and send by its timer only. So a buffer that the kernel may size itself
 * (6 MiB are its usual limit) gets larger.
 */
void tcp_keep_window(SkOptsEntry *options, const struct tcp_stream *stream);
/* What was received, and the numbers. */
const struct libsoccr_sk_data *tcp_stream_data(const struct tcp_stream *stream, const char **ret_bytes);
