/* SPDX-License-Identifier: GPL-2.0-only */
/* Telling the client what happens, and waiting for its consent. */
#include "service/internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"
#include "options/rpc-options.h"

static bool tells_pid(const char *action)
{
	return !strcmp(action, "setup-namespaces") || !strcmp(action, "post-restore");
}

static int receive_answer(struct request *request, const char *action)
{
	/* The one client of a swrk may take its time. */
	const struct deadline deadline = deadline_in_seconds(request->connection->swrk ? 0 : NOTIFY_SECONDS);
	int error = interrupt_poll(request->connection->fd, POLLIN, &deadline);
	CriuReq *answer;

	if (error == -EINTR)
		return error;
	error = error == 0 ? -ETIMEDOUT : message_receive(request->connection->fd, &answer);
	if (error < 0)
		return fail(-error, "no answer of the client to the notification %s", action);
	if (answer->type != CRIU_REQ_TYPE__NOTIFY)
		error = refuse(EPROTO, "the client answers the notification %s by a request of type %d", action,
			       answer->type);
	else if (!answer->notify_success)
		error = refuse(ECANCELED, "the client refuses at the notification %s", action);
	else if (answer->opts && !strcmp(action, "query-ext-files"))
		error = options_add_external(&request->options, answer->opts);
	criu_req__free_unpacked(answer, NULL);
	return error;
}

/* A client that is part of the tree stands still from the freeze on: nobody would answer, for ever. */
static bool is_held(pid_t client)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };
	AUTO_CLOSE int proc = proc_open(client);

	return proc >= 0 && proc_status_read(proc, &status) == 0 && status.tracer_pid == getpid();
}

/* passed is a descriptor or -1. */
static int tell_client(struct request *request, const char *action, pid_t root, int passed)
{
	CriuResp message = CRIU_RESP__INIT;
	CriuNotify details = CRIU_NOTIFY__INIT;
	int error;

	if (!request->options.notify_scripts)
		return 0;
	if (is_held(request->connection->peer.pid)) {
		log_info("The client is being dumped itself, and is not told: %s", action);
		return 0;
	}
	log_info("Telling the client: %s", action);
	log_flush();
	message.type = CRIU_REQ_TYPE__NOTIFY;
	message.success = true;
	message.notify = &details;
	details.script = (char *)action;
	details.has_pid = root > 0 && tells_pid(action);
	details.pid = root;
	error = message_send(request->connection->fd, &message, passed);
	if (error < 0)
		return fail(-error, "the client can't be told of %s", action);
	return receive_answer(request, action);
}

static struct request *request_of(struct listener *listener)
{
	return (struct request *)((char *)listener - offsetof(struct request, listener));
}

static int notify_client(struct listener *listener, const char *action, pid_t root)
{
	return tell_client(request_of(listener), action, root, -1);
}

static int pass_descriptor(struct listener *listener, const char *action, int fd)
{
	return tell_client(request_of(listener), action, 0, fd);
}

void notify_prepare(struct request *request)
{
	request->listener = (struct listener){
		.notify = notify_client, .pass = pass_descriptor, .connection = request->connection->fd, .restored = -1
	};
	request->options.listener = &request->listener;
}
