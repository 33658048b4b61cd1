/* SPDX-License-Identifier: GPL-2.0-only */
/* One connection: request, answer, and perhaps another request. */
#include "service/worker.h"

#include "service/client.h"
#include "service/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "service/message.h"
#include "service/notify.h"
#include "service/request.h"
#include "service/service.h"

/* Clients read into small buffers. */
#define LARGEST_TEXT 1023

static void add_failure(CriuResp *answer, bool bad_options, char *capacity, size_t size)
{
	if (!failure_error())
		return;
	failure_line(capacity, size);
	text_make_utf8(capacity);
	answer->cr_errmsg = capacity;
	if (!answer->success) {
		answer->has_cr_errno = true;
		answer->cr_errno = bad_options ? EBADRQC : failure_error();
	}
}

/*
 * Who has started us may show its user what we print, and not look into the log: runc at a restore, crun. It may also
 * be a pipe that nobody reads.
 */
static void tell_cause(const struct connection *connection, const CriuResp *answer, const char *line)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };
	bool moves = answer->type == CRIU_REQ_TYPE__DUMP || answer->type == CRIU_REQ_TYPE__PRE_DUMP ||
		     answer->type == CRIU_REQ_TYPE__RESTORE;

	if (connection->swrk && moves && !answer->success && log_fd() != STDERR_FILENO && poll(&room, 1, 0) == 1 &&
	    (room.revents & POLLOUT) && io_write(STDERR_FILENO, line, strlen(line)) < 0)
		log_debug("Nobody reads what this program prints");
}

static bool has_text(CriuReqType type)
{
	return type != CRIU_REQ_TYPE__VERSION && type != CRIU_REQ_TYPE__FEATURE_CHECK &&
	       type != CRIU_REQ_TYPE__WAIT_PID;
}

static int send_answer(const struct connection *connection, CriuResp *answer, bool bad_options)
{
	char text[LARGEST_TEXT + 1];
	int error;

	if (has_text(answer->type))
		add_failure(answer, bad_options, text, sizeof(text));
	if (answer->cr_errmsg)
		tell_cause(connection, answer, text);
	error = message_send(connection->fd, answer, -1);
	if (error < 0)
		fail(-error, "the client does not take its answer");
	log_flush();
	return error;
}

static int refuse_message(const struct connection *connection, int error)
{
	CriuResp answer = CRIU_RESP__INIT;

	switch (-error) {
	case EMSGSIZE:
		refuse(EMSGSIZE, "invalid request: the message is too long");
		break;
	case EBADMSG:
		refuse(EBADMSG, "invalid request: the message cannot be read");
		break;
	case EINVAL:
		refuse(EINVAL, "invalid request: its type is unknown or does not fit here");
		break;
	case ENOTCONN:
	case ETIMEDOUT:
		return WORKER_DROPPED; /* nobody is there to be told */
	default:
		fail(-error, "receiving a request");
		return WORKER_DROPPED;
	}
	answer.type = CRIU_REQ_TYPE__EMPTY;
	(void)send_answer(connection, &answer, false);
	return WORKER_DROPPED;
}

/* Never comes back if the command can be executed. */
static void exec_command(const struct request *request)
{
	char **argv = request->options.exec_argv;

	log_info("Executing %s", argv[0]);
	log_flush();
	close(request->connection->fd);
	dup2(log_fd(), STDOUT_FILENO);
	dup2(log_fd(), STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	execvp(argv[0], argv);
	fail_errno("exec_cmd: %s cannot be executed; the restored tasks run on without it", argv[0]);
}

/* What follows the answer. */
static void finish_request(const struct request *request, bool success)
{
	if (success && request->options.exec_cmd && request->message->type == CRIU_REQ_TYPE__RESTORE)
		exec_command(request);
}

static int serve_one(struct connection *connection, const CriuReq *message)
{
	CriuResp answer = CRIU_RESP__INIT;
	struct request request = { .connection = connection, .message = message, .answer = &answer };
	int code;

	options_init(&request.options);
	notify_prepare(&request);
	answer.type = message->type;
	if (fchdir(connection->home) < 0)
		log_warn("cannot go back to the directory we were started in");
	if (!request_run(&request)) {
		code = refuse_message(connection, -EINVAL);
	} else {
		code = answer.success ? WORKER_GOOD : WORKER_FAILED;
		if (!request.silent && send_answer(connection, &answer, request.bad_options) < 0)
			code = WORKER_DROPPED;
		finish_request(&request, answer.success);
	}
	if (request.options.images_dir_fd >= 0)
		close(request.options.images_dir_fd);
	log_close();
	undo_done(&request.undone);
	options_done(&request.options);
	return code;
}

/* What stands in the failure record, as answer to whatever it asks for. */
int connection_refuse(struct connection *connection)
{
	CriuResp answer = CRIU_RESP__INIT;
	CriuReq *message;

	if (message_receive(connection->fd, &message) < 0)
		return WORKER_DROPPED;
	answer.type = message->type;
	(void)send_answer(connection, &answer, false);
	criu_req__free_unpacked(message, NULL);
	return WORKER_DROPPED;
}

int connection_serve(struct connection *connection)
{
	bool stay, pre_dumped = false; /* then only the next one, or the dump itself, may follow */
	int code, error, late = 0;

	do {
		CriuReq *message;

		failure_reset();
		error = message_receive(connection->fd, &message);
		if (error < 0)
			return refuse_message(connection, error);
		stay = message->has_keep_open && message->keep_open;
		if (pre_dumped && message->type != CRIU_REQ_TYPE__PRE_DUMP && message->type != CRIU_REQ_TYPE__DUMP) {
			criu_req__free_unpacked(message, NULL);
			return refuse_message(connection, -EINVAL);
		}
		pre_dumped = message->type == CRIU_REQ_TYPE__PRE_DUMP;
		if (stay && !request_may_keep_open(message->type)) {
			log_error("A request of type %d cannot keep the connection open", message->type);
			code = WORKER_DROPPED;
		} else {
			code = serve_one(connection, message);
			late = interrupt_release();
		}
		criu_req__free_unpacked(message, NULL);
	} while ((stay || pre_dumped) && code == WORKER_GOOD && !late);
	/* It came when the request could not be interrupted any more. The client has its answer. */
	if (late)
		(void)raise(late);
	return code;
}

int service_work(const struct service_program *program, const struct options *options)
{
	AUTO_CLOSE int home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct connection connection = { .fd = options->worker_fd,
					 .swrk = true,
					 .program = program,
					 .base = options,
					 .home = home,
					 .page_server = -1 };

	if (client_identify(&connection) < 0)
		return WORKER_DROPPED;
	/* Neither what we start nor what we restore gets it. */
	if (fcntl(connection.fd, F_SETFD, FD_CLOEXEC) < 0) {
		fail_errno("preparing the socket of the client");
		return WORKER_DROPPED;
	}
	return connection_serve(&connection);
}
