/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the service share: one connection and one request of it. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "flow/restore.h"
#include "options/options.h"
#include "rpc.pb-c.h"
#include "session/listener.h"

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

/* One request that is carried out. */
struct request {
	struct connection *connection;
	const CriuReq *message;
	CriuResp *answer;
	struct options options;
	struct listener listener;
	struct restored restored;
	CriuDumpResp dump; /* parts of the answer */
	CriuRestoreResp restore;
	CriuPageServerInfo server;
	CriuFeatures features;
	CriuVersion version;
	bool bad_options; /* it failed because of what it asks for */
	bool silent;	  /* the answer is given by another process, later */
};

/* The exit codes of a worker. */
enum {
	WORKER_GOOD = 0,
	WORKER_FAILED = 1,
	WORKER_DROPPED = 255,
};

/* worker.c: answers requests until one ends the connection. Returns one of the exit codes. */
int connection_serve(struct connection *connection);
/* Answers the first request by the failure that was logged. The same result. */
int connection_refuse(struct connection *connection);
/* request.c: carries it out and fills the answer; what the request names decides how. false: there is no such request.
 */
bool request_run(struct request *request);
bool request_may_keep_open(CriuReqType type);

/* notify.c */
void notify_prepare(struct request *request);

/* client.c: asks the socket who is at its other end; pid 0: a process of an outer pid namespace, whose
 * descriptors we cannot name. -errno after it was logged. */
int client_identify(struct connection *connection);
/*
 * Takes over the rights of a client who is not who runs the service, with the few capabilities that a checkpoint needs,
 * and what else bounds its processes. -errno as above.
 */
int client_become(struct connection *connection);

/* client-bounds.c: both read what the pidfd's process has, as root. -errno after it was logged, also if it has ended.
 */
int client_find_confinement(struct connection *connection, int pidfd);
int client_take_bounds(pid_t pid, int pidfd);

/*
 * message.c: one packet each. A received message is freed by criu_req__free_unpacked(). -ENOTCONN: the client is gone.
 * -EBADMSG, -EMSGSIZE: not a message of ours, -ETIMEDOUT; the packet is taken off. Logs nothing.
 */
int message_receive(int fd, CriuReq **ret);
/* passed is a descriptor for the client or -1. Returns 0 or -errno, not logged. */
int message_send(int fd, const CriuResp *message, int passed);
