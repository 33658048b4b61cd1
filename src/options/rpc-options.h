/* SPDX-License-Identifier: GPL-2.0-only */
/* Options from a client's request. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "rpc.pb-c.h"

struct opt_list;
struct pool;

struct options;

struct rpc_client {
	pid_t pid;   /* who sent the request: its descriptors are found in /proc/PID/fd */
	bool worker; /* our caller made us for this one client (swrk): it may name descriptors of ours */
};

/*
 * Applies the request, then the config file that it names. options is initialised and options->command is set. A field
 * whose feature is not there yet, and everything that does not go together, is refused as on a command line: follow up
 * with options_check(). Returns 0, or -EBADRQC after the reason was logged.
 */
int options_from_request(struct options *options, const CriuOpts *request, const struct rpc_client *client);

/* What the client names while the dump is under way (query-ext-files). The texts live in the pool, the list is the
 * caller's. Errors as above. */
int options_read_external(const CriuOpts *request, struct pool *pool, struct opt_list *ret);
