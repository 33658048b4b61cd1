/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP connections that wait for accept(2): tcp-backlog.img. */
#pragma once

#include "base/list.h"
#include "object/socket/inet/inet.h"

/* One of them. */
struct tcp_waiting_socket {
	struct list all;
	struct inet_socket socket; /* entry and stream only */
	const TcpWaitingEntry *record;
	const struct inet_socket *listener; /* in a restore */
	int fd;				    /* in a dump: its socket, in repair mode */
};

/* dump: n connections wait in a listener. */
int tcp_backlog_dump(const struct dump *d, const struct open_file *of, const InetSkEntry *entry, unsigned n);
bool tcp_backlog_is_watched(const struct dump *d); /* there are listeners of which tcp_backlog_take() may take some */
int tcp_backlog_take(struct dump *d);
/* What was taken, into the sockets that it was taken from. */
int tcp_backlog_put_back(struct dump *d);

int tcp_backlog_prepare(const struct restore *r);
int tcp_backlog_load(const struct restore *r, struct inet_socket *listener);
int tcp_backlog_link(const struct restore *r); /* when all were loaded */
/* All that wait there; fd has its late options. What was put into it vanishes without a word if the restore fails,
 * until it is released. */
int tcp_backlog_restore(struct restore *r, const struct inet_socket *listener, int fd);
void tcp_backlog_release(struct restore *r);
void tcp_backlog_clean(struct restore *r);
/* Calls work() for each that waits there, until one fails. */
int tcp_backlog_each(const struct restore *r, const struct inet_socket *listener,
		     int (*work)(const struct restore *r, const InetSkEntry *entry));
