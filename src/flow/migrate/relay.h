/* SPDX-License-Identifier: GPL-2.0-only */
/* A process that speaks TLS for us: criu itself reads and writes plain bytes. */
#pragma once

#include <stdbool.h>

#include "flow/migrate/wire.h"

struct peer_place;

/* Shakes hands on the socket, which is taken over; then a process of ours carries the bytes of the wire. */
int relay_tls(const struct peer_place *place, int fd, bool is_server, struct wire *ret);
