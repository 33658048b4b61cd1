/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the other side of a migration is, and how it is spoken to. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "flow/migrate/wire.h"

struct options;

enum migrate_way { MIGRATE_BY_FD, MIGRATE_BY_TCP, MIGRATE_BY_TLS, MIGRATE_BY_SSH };

struct migrate_place {
	enum migrate_way way;
	int in, out;	  /* fd:N, fd:IN,OUT */
	const char *host; /* ssh: with the user; listening: NULL for any address */
	uint16_t port;	  /* 0: the one that ssh chooses; listening: that the kernel chooses */
};

/* ssh://[USER@]HOST[:PORT], tls://HOST:PORT, tcp://HOST:PORT, fd:N, fd:IN,OUT. Texts live in the pool of the options.
 */
int place_parse(const struct options *options, const char *text, struct migrate_place *ret);
/* Connects, and starts criu on the other side by ssh. */
int place_connect(const struct options *options, const struct migrate_place *place, struct wire *ret);
/* Can there be a second connection, should the first one break? */
bool place_can_be_found_again(const struct migrate_place *place);
/* Of a connection that was accepted (fd is taken over): TLS is spoken if the place says so. */
int place_welcome(const struct options *options, const struct migrate_place *place, int fd, struct wire *ret);
/* fd:N of this process: descriptors 0 and 1 are replaced, so that nothing else gets into them. */
int place_take_given(const struct migrate_place *place, struct wire *ret);
