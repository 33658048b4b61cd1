/* SPDX-License-Identifier: GPL-2.0-only */
/* The other end of a connection that carries pages: listening, connecting, sending and receiving in full. */
#include "base/grace.h"
#include "pages/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/deadline.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/pool.h"
#include "pages/tls.h"

/* A host is taken for dead after GRACE_SILENCE_S without a sign of life: tasks stand still meanwhile. */
enum {
	PROBE_SECONDS = 10,
	BACKLOG = 16,
};

struct peer {
	int fd;
	unsigned grace;
	bool borrowed;
	struct tls *tls; /* NULL: plain */
};

/* --- making connections --- */

/* Calls use() for each address of the place until one returns a descriptor; what says what for. */
static int with_addresses(const struct peer_place *place, int flags, const char *what,
			  int (*use)(const struct addrinfo *address, unsigned grace))
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
	struct addrinfo *addresses;
	char port[8];
	int result, fd = -EADDRNOTAVAIL;

	snprintf(port, sizeof(port), "%u", place->port);
	result = getaddrinfo(place->address, port, &hints, &addresses);
	if (result != 0)
		return refuse(EADDRNOTAVAIL, "the address %s: %s", place->address ?: "(none)",
			      result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
	for (const struct addrinfo *a = addresses; a; a = a->ai_next) {
		fd = use(a, place->grace);
		if (fd == -EINTR)
			break;
		if (fd >= 0)
			break;
	}
	freeaddrinfo(addresses);
	if (fd == -EINTR)
		return fd;
	return fd < 0 ? fail(-fd, "cannot %s %s port %s", what, place->address ?: "this host", port) : fd;
}

static int listen_at(const struct addrinfo *address, unsigned grace)
{
	AUTO_CLOSE int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
	int on = 1, off = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (address->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* then only IPv6 */
	if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int listen_at_any(const struct addrinfo *address, unsigned grace)
{
	struct addrinfo six = *address;
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
	int fd;

	if (address->ai_family != AF_INET)
		return listen_at(address, grace);
	/* One socket for both families, if the kernel has IPv6. */
	any.sin6_port = ((const struct sockaddr_in *)address->ai_addr)->sin_port;
	six.ai_family = AF_INET6;
	six.ai_addr = (struct sockaddr *)&any;
	six.ai_addrlen = sizeof(any);
	fd = listen_at(&six, grace);
	return fd >= 0 || fd == -EADDRINUSE ? fd : listen_at(address, grace);
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

int peer_await(int fd, short events, unsigned grace)
{
	const struct deadline deadline = deadline_in_seconds(grace);
	int ready = interrupt_poll(fd, events, &deadline);

	if (ready == 0)
		return refuse(ETIMEDOUT, "the other end has been silent for %u s: is it alive? (--timeout)", grace);
	return ready < 0 ? ready : 0;
}

static int finish_connect(int fd, unsigned grace)
{
	int error = 0;
	socklen_t size = sizeof(error);

	TRY(peer_await(fd, POLLOUT, grace));
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? -errno : -error;
}

static int connect_to(const struct addrinfo *address, unsigned grace)
{
	AUTO_CLOSE int fd =
		socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->ai_protocol);

	if (fd < 0)
		return -errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		TRY(finish_connect(fd, grace));
	}
	return fcntl(fd, F_SETFL, 0) < 0 ? -errno : TAKE_FD(fd);
}

/* So that the death of the other host is noticed. Not every socket knows of these. */
void peer_watch_life(int fd)
{
	int on = 1, idle = PROBE_SECONDS, count = GRACE_SILENCE_S / PROBE_SECONDS - 1, limit = GRACE_SILENCE_S * 1000;

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
	peer->grace = place->grace;
	peer->borrowed = place->fd >= 0;
	if (!peer->borrowed)
		peer_watch_life(fd);
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

/* Connections of which we do not know yet whether a client is behind them. */
struct visitors {
	peer_greeting *is_greeting;
	const char *language;
	int fds[64];
	unsigned n;
};

static void send_away(struct visitors *visitors, unsigned i)
{
	close(visitors->fds[i]);
	visitors->n--;
	memmove(&visitors->fds[i], &visitors->fds[i + 1], (visitors->n - i) * sizeof(int));
}

static int let_in(struct visitors *visitors, int listener)
{
	int word = sizeof(uint32_t), fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return errno == EINTR || errno == ECONNABORTED || errno == EAGAIN
			       ? 0
			       : fail_errno("cannot accept a client");
	/* It can be read when a whole word is there, or nothing more comes. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &word, sizeof(word));
	if (visitors->n == ARRAY_SIZE(visitors->fds))
		send_away(visitors, 0);
	visitors->fds[visitors->n++] = fd;
	return 0;
}

/* Of the first one that speaks as a client does: its socket, which is not the visitors' any more; else -EAGAIN. */
static int find_client(struct visitors *visitors, const struct pollfd *polls)
{
	int one = 1, fd;
	uint32_t word;

	for (unsigned i = visitors->n; i-- > 0;) {
		if (!polls[i].revents)
			continue;
		if (recv(polls[i].fd, &word, sizeof(word), MSG_PEEK | MSG_DONTWAIT) == sizeof(word) &&
		    visitors->is_greeting(word)) {
			fd = fcntl(polls[i].fd, F_DUPFD_CLOEXEC, 0);
			if (fd < 0)
				return fail_errno("cannot accept a client");
			(void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
			send_away(visitors, i);
			return fd;
		}
		log_warn("somebody who has connected speaks no %s, and is sent away", visitors->language);
		send_away(visitors, i);
	}
	return -EAGAIN;
}

static int wait_for_client(struct visitors *visitors, int listener)
{
	int client = -EAGAIN;

	while (client == -EAGAIN) {
		struct pollfd polls[ARRAY_SIZE(visitors->fds) + 2];
		unsigned n = visitors->n;

		for (unsigned i = 0; i < n; i++)
			polls[i] = (struct pollfd){ .fd = visitors->fds[i], .events = POLLIN };
		polls[n] = (struct pollfd){ .fd = listener, .events = POLLIN };
		polls[n + 1] = (struct pollfd){ .fd = interrupt_fd(), .events = POLLIN };
		if (poll(polls, n + 2, -1) < 0 && errno != EINTR)
			return fail_errno("cannot wait for a client");
		TRY(interrupt_check());
		client = find_client(visitors, polls);
		if (client == -EAGAIN && polls[n].revents)
			TRY(let_in(visitors, listener));
	}
	return client;
}

/* The first word of TLS: a handshake of version 3.x. */
static bool greets_by_tls(uint32_t word)
{
	return (word & 0xffff) == 0x0316;
}

int peer_accept(const struct peer_place *place, int listener, peer_greeting *is_greeting, struct peer **ret)
{
	struct visitors visitors = { .is_greeting = is_greeting, .language = "protocol of page servers" };
	struct peer_place there = *place;
	int result;

	if (place->fd >= 0)
		return take_given(place, true, ret);
	if (!is_greeting) {
		TRY(peer_await(listener, POLLIN, 0));
		result = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		return result < 0 ? fail_errno("cannot accept a client") : make_peer(place, result, true, ret);
	}
	if (place->tls) {
		visitors.is_greeting = greets_by_tls;
		visitors.language = "TLS";
		there.grace = GRACE_SILENCE_S; /* nobody else is let in as long as it shakes hands */
	}
	do {
		result = wait_for_client(&visitors, listener);
		if (result >= 0)
			result = make_peer(&there, result, true, ret);
	} while (result == -EPROTO || (result == -ETIMEDOUT && place->tls)); /* TLS does not let it in */
	while (visitors.n)
		send_away(&visitors, 0);
	return result;
}

int peer_connect(const struct peer_place *place, struct peer **ret)
{
	const char *role = place->role ?: "the page server";
	char what[64];
	int fd;

	if (place->fd >= 0)
		return take_given(place, false, ret);
	if (!place->port)
		return refuse(EINVAL,
			      "the page server is not given: --page-server needs --address and --port, or --ps-socket");
	snprintf(what, sizeof(what), "connect to %s at", role);
	fd = with_addresses(place, 0, what, connect_to);
	TRY(fd);
	log_info("Connected to %s at %s port %u", role, place->address ?: "this host", place->port);
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
		ssize_t done = sendmsg(peer->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (done < 0 && (errno == EINTR || errno == EAGAIN)) {
			TRY(peer_await(peer->fd, POLLOUT, peer->grace));
			continue;
		}
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
	while ((got = recv(peer->fd, to, size, MSG_DONTWAIT)) < 0 && (errno == EINTR || errno == EAGAIN))
		TRY(peer_await(peer->fd, POLLIN, peer->grace));
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

void peer_set_grace(struct peer *peer, unsigned seconds)
{
	peer->grace = seconds;
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
