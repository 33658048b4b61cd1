/* SPDX-License-Identifier: GPL-2.0-only */
/* TLS around a connection (tls.c), or the answer that this criu was built without it (tls-none.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "pages/peer.h"

struct tls;

/* Shakes hands; the descriptor stays the caller's. */
int tls_open(const struct peer_place *place, int fd, bool is_server, struct tls **ret);
/* Another grace than that of the place. */
void tls_set_grace(struct tls *tls, unsigned seconds);
/* Bytes moved, 0 at the end, or -errno after the reason was logged. */
ssize_t tls_send(struct tls *tls, const void *from, size_t size);
ssize_t tls_receive(struct tls *tls, void *to, size_t size);
bool tls_has_bytes(const struct tls *tls);
/* Tells the other end that nothing will follow. */
int tls_finish(struct tls *tls);
/* Accepts NULL. */
void tls_close(struct tls **tls);
