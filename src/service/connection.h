/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the service share: a connection. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "options/options.h"
#include "rpc.pb-c.h"

struct service_program;

/* What surrounds an ordinary client and would not surround a worker of the service. */
enum confinement {
	CLIENT_FREE,
	CLIENT_FILTERED,  /* it may still have itself dumped */
	CLIENT_ELSEWHERE, /* pids and paths mean something else to it: it may ask questions */
};

/* One client. */
struct connection {
	int fd;
	struct ucred peer;
	bool swrk;     /* our caller made us for this client */
	bool ordinary; /* it is not who runs the service: we have taken its rights */
	enum confinement confinement;
	char confined_by[40]; /* a word for it */
	const struct service_program *program;
	const struct options *base; /* swrk: our own command line; NULL: built-in defaults */
	int home;		    /* directory we were started in, to which the paths of requests are relative */
	int page_server;	    /* a service: pidfd of the one that was made last, or -1 */
};
