/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the service share: one connection and one request of it. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "options/options.h"
#include "rpc.pb-c.h"
#include "session/listener.h"

struct service_program;

/* One client. */
struct connection {
	int fd;
	struct ucred peer;
	bool swrk; /* our caller made us for this client */
	const struct service_program *program;
	const struct options *base; /* swrk: our own command line; NULL: built-in defaults */
	int home;		    /* directory we were started in, to which the paths of requests are relative */
};

/* One request that is carried out. */
struct request {
	struct connection *connection;
	const CriuReq *message;
	CriuResp *answer;
	struct options options;
	struct listener listener;
	CriuDumpResp dump; /* parts of the answer */
	CriuRestoreResp restore;
	CriuFeatures features;
	CriuVersion version;
	bool bad_options; /* it failed because of what it asks for */
	bool silent; /* the answer is given by another process, later */
};

/* The exit codes of a worker. */
enum {
	WORKER_GOOD = 0,
	WORKER_FAILED = 1,
	WORKER_DROPPED = 255,
};

/* worker.c: answers requests until one ends the connection. Returns one of the exit codes. */
int connection_serve(struct connection *connection);
/* request.c: carries it out and fills the answer; what the request names decides how. false: there is no such request. */
bool request_run(struct request *request);
bool request_may_keep_open(CriuReqType type);

/* notify.c */
void notify_prepare(struct request *request);

/* client.c: asks the socket who is at its other end; pid 0: a process of an outer pid namespace, whose
 * descriptors we can't name. -errno after it was logged. */
int client_identify(int fd, struct ucred *ret);
/* Takes over the rights of a client who is not root, with the few capabilities that a checkpoint needs. -errno as above. */
int client_become(int fd, const struct ucred *peer);

/*
 * message.c: one packet each. A received message is freed by criu_req__free_unpacked(). -ENOTCONN: the client is gone. -EBADMSG,
 * -EMSGSIZE: not a message of ours, -ETIMEDOUT; the packet is taken off. Logs nothing.
 */
int message_receive(int fd, CriuReq **ret);
/* passed is a descriptor for the client or -1. Returns 0 or -errno, not logged. */
int message_send(int fd, const CriuResp *message, int passed);
