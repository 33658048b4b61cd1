/* SPDX-License-Identifier: GPL-2.0-only */
/* The other end of a connection that carries pages: a TCP stream or any connected stream socket, plain or inside of
 * TLS. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Where the other end is and how it is spoken to. Strings stay the caller's. */
struct peer_place {
	const char *address; /* host to connect to, or address to listen at; NULL: any */
	uint16_t port;	     /* 0: chosen by the kernel (only to listen) */
	int fd;		     /* a connected socket that is used instead, or -1 */
	const char *role;    /* what is there, for messages; NULL: the page server */
	unsigned grace;	     /* seconds that the other end may be silent where it has something to say; 0: for ever */
	bool tls, tls_no_cn_verify;
	const char *tls_cacert, *tls_cacrl, *tls_cert, *tls_key; /* NULL: the default */
};

struct peer;

/* The first word that a client sends may be this one. */
typedef bool peer_greeting(uint32_t word);

/* Listens. Returns the socket; the port through ret_port. */
int peer_listen(const struct peer_place *place, uint16_t *ret_port);
/*
 * Waits for a client at the socket (which stays the caller's), or takes place->fd. Whoever connects and says nothing,
 * or nothing that a client would say, is none: port scanners and monitors.
 */
int peer_accept(const struct peer_place *place, int listener, peer_greeting *greeting, struct peer **ret);
/* Connects to place, trying all addresses of the host, or takes place->fd. */
int peer_connect(const struct peer_place *place, struct peer **ret);
/* Accepts NULL; for AUTO(). What was sent arrives; with TLS the other end is not told: see peer_finish(). */
void peer_close(struct peer **peer);

/*
 * All bytes, or a failure that is logged. The parts are changed. One thread may send while another one receives.
 */
int peer_send(struct peer *peer, struct iovec *parts, unsigned n);
/* Exactly size bytes: 1; 0 if the other end has closed the connection before the first; or a failure that is logged. */
int peer_receive(struct peer *peer, void *to, size_t size);
/* The same, but a connection that ends here is a failure. */
int peer_receive_all(struct peer *peer, void *to, size_t size);
/*
 * Waits until fd can be read or written (POLLIN, POLLOUT); place->grace seconds at most, and until a signal
 * interrupts the program: failures, logged.
 */
int peer_await(int fd, short events, unsigned grace);
/* Another grace than that of its place. */
void peer_set_grace(struct peer *peer, unsigned seconds);
/* Says that nothing will follow. */
int peer_finish(struct peer *peer);
/* Are bytes there that were not received yet? Of TLS they may be in no socket. */
bool peer_has_bytes(const struct peer *peer);
/* To wait at; stays the peer's. */
int peer_fd(const struct peer *peer);
/* Was it given by its number? Then it is not ours to end. */
bool peer_is_borrowed(const struct peer *peer);
/* So that the death of the other host ends a connection. */
void peer_watch_life(int fd);
/* Makes all sending and receiving of other threads fail. */
void peer_abort(struct peer *peer);
