/* SPDX-License-Identifier: GPL-2.0-only */
/* Telling the client what happens, and waiting for its consent. */
#include "service/notify.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/meter.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"
#include "options/rpc-options.h"
#include "service/connection.h"
#include "service/message.h"
#include "service/request.h"

static bool tells_pid(const char *action)
{
	return !strcmp(action, "setup-namespaces") || !strcmp(action, "post-restore");
}

/* What it asks to be added to --external goes to ret. */
static int receive_answer(struct request *request, const char *action, struct pool *pool, struct opt_list *ret)
{
	/* The one client of a swrk may take its time. */
	const struct deadline deadline = deadline_in_seconds(request->connection->swrk ? 0 : GRACE_NOTIFY_S);
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
	else if (answer->opts && ret)
		error = options_read_external(answer->opts, pool, ret);
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

/* What is told, and what comes with it. */
struct notice {
	const char *action;
	pid_t root;
	int passed; /* a descriptor or -1 */
};

/* pool, ret: see receive_answer(). */
static int tell_client(struct request *request, const struct notice *notice, struct pool *pool, struct opt_list *ret)
{
	CriuResp message = CRIU_RESP__INIT;
	CriuNotify details = CRIU_NOTIFY__INIT;
	const char *action = notice->action;
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
	details.has_pid = notice->root > 0 && tells_pid(action);
	details.pid = notice->root;
	error = message_send(request->connection->fd, &message, notice->passed);
	if (error < 0)
		return fail(-error, "the client cannot be told of %s", action);
	return receive_answer(request, action, pool, ret);
}

static struct request *request_of(struct listener *listener)
{
	return (struct request *)((char *)listener - offsetof(struct request, listener));
}

static int notify_client(struct listener *listener, const char *action, pid_t root)
{
	const struct notice notice = { action, root, -1 };

	return tell_client(request_of(listener), &notice, NULL, NULL);
}

static int pass_descriptor(struct listener *listener, const char *action, int fd)
{
	const struct notice notice = { action, 0, fd };

	return tell_client(request_of(listener), &notice, NULL, NULL);
}

static int query_external(struct listener *listener, struct pool *pool, struct opt_list *ret)
{
	const struct notice notice = { "query-ext-files", 0, -1 };

	return tell_client(request_of(listener), &notice, pool, ret);
}

/* Not answered: nothing waits for it. Whoever does not take what came before is not told more. */
static void tell_progress(struct listener *listener, const struct meter_report *report)
{
	const struct request *request = request_of(listener);
	struct pollfd ready = { request->connection->fd, POLLOUT, 0 };
	CriuResp message = CRIU_RESP__INIT;
	CriuNotify details = CRIU_NOTIFY__INIT;
	ProgressReport progress = PROGRESS_REPORT__INIT;
	int error;

	if (poll(&ready, 1, 0) <= 0 || is_held(request->connection->peer.pid))
		return;
	progress.what = (char *)report->what;
	progress.done = report->done;
	progress.has_total = report->total > 0;
	progress.total = report->total;
	progress.rate = report->rate;
	progress.has_left = report->left != UINT64_MAX;
	progress.left = report->left;
	progress.us = report->us;
	progress.end = report->end;
	details.script = "progress";
	details.progress = &progress;
	message.type = CRIU_REQ_TYPE__NOTIFY;
	message.success = true;
	message.notify = &details;
	error = message_send(request->connection->fd, &message, -1);
	if (error < 0)
		log_info("The client cannot be told of the progress: %s", strerror(-error));
}

void notify_prepare(struct request *request)
{
	request->listener = (struct listener){ .notify = notify_client,
					       .pass = pass_descriptor,
					       .query_external = query_external,
					       .progress = tell_progress,
					       .connection = request->connection->fd };
}
