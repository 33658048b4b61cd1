/* SPDX-License-Identifier: GPL-2.0-only */
/* The other end of a connection that carries pages: listening, connecting, sending and receiving in full. */
#include "pages/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "pages/tls.h"

/* After so long without a sign of life a host is taken for dead: tasks stand still meanwhile. */
enum {
	SILENCE_SECONDS = 60,
	PROBE_SECONDS = 10,
};

struct peer {
	int fd;
	bool borrowed;
	struct tls *tls; /* NULL: plain */
};

/* --- making connections --- */

/* Calls use() for each address of the place until one returns a descriptor; what says what for. */
static int with_addresses(const struct peer_place *place, int flags, const char *what,
			  int (*use)(const struct addrinfo *address))
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
	struct addrinfo *addresses;
	char port[8];
	int result, fd = -EADDRNOTAVAIL;

	snprintf(port, sizeof(port), "%u", place->port);
	result = getaddrinfo(place->address, port, &hints, &addresses);
	if (result != 0)
		return refuse(EADDRNOTAVAIL, "--address %s: %s", place->address ?: "(none)",
			      result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
	for (const struct addrinfo *a = addresses; a; a = a->ai_next) {
		fd = use(a);
		if (fd >= 0)
			break;
	}
	freeaddrinfo(addresses);
	return fd < 0 ? fail(-fd, "cannot %s %s port %s", what, place->address ?: "this host", port) : fd;
}

static int listen_at(const struct addrinfo *address)
{
	AUTO_CLOSE int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
	int on = 1, off = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (address->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* then only IPv6 */
	if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, 1) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int listen_at_any(const struct addrinfo *address)
{
	struct addrinfo six = *address;
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
	int fd;

	if (address->ai_family != AF_INET)
		return listen_at(address);
	/* One socket for both families, if the kernel has IPv6. */
	any.sin6_port = ((const struct sockaddr_in *)address->ai_addr)->sin_port;
	six.ai_family = AF_INET6;
	six.ai_addr = (struct sockaddr *)&any;
	six.ai_addrlen = sizeof(any);
	fd = listen_at(&six);
	return fd >= 0 || fd == -EADDRINUSE ? fd : listen_at(address);
}

int peer_listen(const struct peer_place *place, uint16_t *ret_port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name;
	socklen_t size = sizeof(name);
	AUTO_CLOSE int fd = with_addresses(place, AI_PASSIVE, "listen at", place->address ? listen_at : listen_at_any);

	TRY(fd);
	if (getsockname(fd, &name.any, &size) < 0)
		return fail_errno("cannot ask for the port that was chosen");
	*ret_port = ntohs(name.any.sa_family == AF_INET6 ? name.v6.sin6_port : name.v4.sin_port);
	log_info("Listening at %s port %u", place->address ?: "any address", *ret_port);
	return TAKE_FD(fd);
}

static int connect_to(const struct addrinfo *address)
{
	AUTO_CLOSE int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);

	if (fd < 0)
		return -errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* So that the death of the other host is noticed. Not every socket knows of these. */
static void watch_life(int fd)
{
	int on = 1, idle = PROBE_SECONDS, count = SILENCE_SECONDS / PROBE_SECONDS - 1, limit = SILENCE_SECONDS * 1000;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* fd is taken over. */
static int make_peer(const struct peer_place *place, int fd, bool is_server, struct peer **ret)
{
	AUTO(peer_close) struct peer *peer = xzalloc(sizeof(*peer));

	peer->fd = fd;
	peer->borrowed = place->fd >= 0;
	if (!peer->borrowed)
		watch_life(fd);
	/* A client that was given its socket leaves TLS to who gave it. */
	if (place->tls && (is_server || !peer->borrowed))
		TRY(tls_open(place, fd, is_server, &peer->tls));
	*ret = TAKE_PTR(peer);
	return 0;
}

static int take_given(const struct peer_place *place, bool is_server, struct peer **ret)
{
	int type = 0, fd;
	socklen_t size = sizeof(type);

	if (getsockopt(place->fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
		return refuse(EINVAL, "--ps-socket %d is not a connected stream socket", place->fd);
	fd = fcntl(place->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return fail_errno("--ps-socket %d", place->fd);
	return make_peer(place, fd, is_server, ret);
}

int peer_accept(const struct peer_place *place, int listener, struct peer **ret)
{
	int fd;

	if (place->fd >= 0)
		return take_given(place, true, ret);
	do {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return fail_errno("cannot accept a client");
	return make_peer(place, fd, true, ret);
}

int peer_connect(const struct peer_place *place, struct peer **ret)
{
	int fd;

	if (place->fd >= 0)
		return take_given(place, false, ret);
	if (!place->port)
		return refuse(EINVAL,
			      "the page server is not given: --page-server needs --address and --port, or --ps-socket");
	fd = with_addresses(place, 0, "connect to the page server at", connect_to);
	TRY(fd);
	log_info("Connected to the page server at %s port %u", place->address ?: "this host", place->port);
	return make_peer(place, fd, false, ret);
}

void peer_close(struct peer **ref)
{
	struct peer *peer = *ref;

	if (!peer)
		return;
	tls_close(&peer->tls);
	close(peer->fd);
	free(peer);
	*ref = NULL;
}

/* --- bytes --- */

static int send_tls(struct peer *peer, const struct iovec *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		for (size_t at = 0; at < parts[i].iov_len;) {
			ssize_t done = tls_send(peer->tls, (char *)parts[i].iov_base + at, parts[i].iov_len - at);

			TRY(done);
			at += (size_t)done;
		}
	}
	return 0;
}

int peer_send(struct peer *peer, struct iovec *parts, unsigned n)
{
	if (peer->tls)
		return send_tls(peer, parts, n);
	while (n) {
		const struct msghdr message = { .msg_iov = parts, .msg_iovlen = n < IOV_MAX ? n : IOV_MAX };
		ssize_t done = sendmsg(peer->fd, &message, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return fail_errno("the connection of the page server is lost: cannot send");
		for (; n && (size_t)done >= parts->iov_len; parts++, n--)
			done -= (ssize_t)parts->iov_len;
		if (n) {
			parts->iov_base = (char *)parts->iov_base + done;
			parts->iov_len -= (size_t)done;
		}
	}
	return 0;
}

static ssize_t receive_some(struct peer *peer, void *to, size_t size)
{
	ssize_t got;

	if (peer->tls)
		return tls_receive(peer->tls, to, size);
	do {
		got = recv(peer->fd, to, size, 0);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? fail_errno("the connection of the page server is lost: cannot receive") : got;
}

int peer_receive(struct peer *peer, void *to, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t got = receive_some(peer, (char *)to + at, size - at);

		TRY(got);
		if (got == 0)
			return at ? refuse(ECONNRESET,
					   "the other end has closed the connection in the middle of a message")
				  : 0;
		at += (size_t)got;
	}
	return 1;
}

int peer_receive_all(struct peer *peer, void *to, size_t size)
{
	int result = size ? peer_receive(peer, to, size) : 1;

	TRY(result);
	return result ? 0 : refuse(ECONNRESET, "the other end has closed the connection where more had to come");
}

int peer_finish(struct peer *peer)
{
	return peer->tls ? tls_finish(peer->tls) : 0;
}

bool peer_has_bytes(const struct peer *peer)
{
	return peer->tls && tls_has_bytes(peer->tls);
}

int peer_fd(const struct peer *peer)
{
	return peer->fd;
}

bool peer_is_borrowed(const struct peer *peer)
{
	return peer->borrowed;
}

void peer_abort(struct peer *peer)
{
	shutdown(peer->fd, SHUT_RDWR);
}
