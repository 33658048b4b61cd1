/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP connections that have ended: both sides have said good-bye, or the other one has reset it. What came before that
 * can still be read.
 */
#include "object/socket/inet/tcp-ended.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <soccr.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "object/file/file.h"
#include "object/net/net.h"
#include "object/socket/inet/address.h"
#include "object/socket/inet/inet.h"
#include "object/socket/inet/tcp.h"
#include "session/loss.h"
#include "session/session.h"

bool tcp_is_ended(const InetSkEntry *entry)
{
	return entry->type == SOCK_STREAM && entry->state == TCP_CLOSE && inet_is_bound(entry) &&
	       inet_is_connected(entry);
}

/* A program may have a position of its own for looking ahead; Linux 6.9. */
static ssize_t look_at_all(int fd, void *bytes, size_t size)
{
	int before = -1, off = -1;
	socklen_t length = sizeof(before);
	bool moved = getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, &length) == 0 && before >= 0 &&
		     setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)) == 0;
	ssize_t got = recv(fd, bytes, size, MSG_PEEK | MSG_DONTWAIT);

	if (moved)
		(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &before, sizeof(before));
	return got;
}

int tcp_save_rest(struct dump *d, int fd, InetSkEntry *entry)
{
	int size = 0;
	ssize_t got;

	if (ioctl(fd, SIOCINQ, &size) < 0 || size <= 0)
		return 0;
	entry->rest.data = pool_alloc(d->pool, (size_t)size);
	got = look_at_all(fd, entry->rest.data, (size_t)size);
	entry->rest.len = got > 0 ? (size_t)got : 0;
	entry->has_rest = entry->rest.len > 0;
	/* A look ends at an urgent byte. */
	if (got < size)
		dump_report_loss(d, "%zd bytes that it has received and not read", size - (got > 0 ? got : 0));
	return 0;
}

/* Without the name of its peer it reads and writes as before: that is no reason to fail. */
int tcp_restore_ended(struct restore *r, struct inet_socket *socket, int fd)
{
	struct libsoccr_sk_data data = { .state = TCP_CLOSE, .flags = SOCCR_FLAGS_NAMES };
	char name[128];
	const int on = 1;

	TRY(network_restore_lock(r));
	socket->connection = libsoccr_pause(fd);
	if (socket->connection) {
		TRY(tcp_set_addresses(socket));
		data.inq_len = (uint32_t)socket->entry->rest.len;
		libsoccr_set_queue_bytes(socket->connection, TCP_RECV_QUEUE, (char *)socket->entry->rest.data, 0);
		if (libsoccr_restore(socket->connection, &data, sizeof(data)) < 0) {
			inet_print(socket->entry, name, sizeof(name));
			log_warn("TCP connection %s, which has ended, does not keep the name of its peer%s: %s", name,
				 data.inq_len ? ", nor what was not read yet" : "", strerror(errno));
			socket->nameless = true;
		}
		libsoccr_resume(TAKE_PTR(socket->connection));
	}
	if (socket->nameless)
		return -EAGAIN;
	/* Leaving repair mode has switched it off. */
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ? fail_errno("cannot set SO_REUSEADDR")
									     : 0;
}
