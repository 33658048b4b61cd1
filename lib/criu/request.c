/* SPDX-License-Identifier: LGPL-2.1-only */
/* Requests: reaching criu, sending one, answering notifications, judging the reply. */
#include "lib/criu/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int orphan_master = -1;

int criu_notify_pid(criu_notify_arg_t na)
{
	return na && na->has_pid ? na->pid : 0;
}

int criu_get_orphan_pts_master_fd(void)
{
	return orphan_master;
}

/* --- the connection --- */

static int connect_address(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
	} else {
		strcpy(address.sun_path, path);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
	}
	close(fd);
	return -1;
}

/* Who dumps itself must not have criu below it: it becomes a daemon. */
static void __attribute__((noreturn)) become_worker(const char *binary, int fd, bool itself)
{
	sigset_t child;
	char number[16];
	int pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &child, NULL);
	if (itself && daemon(0, 1) < 0)
		_exit(1);
	pid = getpid();
	if (send(fd, &pid, sizeof(pid), MSG_NOSIGNAL) != sizeof(pid))
		_exit(1);
	snprintf(number, sizeof(number), "%d", fd);
	execlp(binary, binary, "swrk", number, (char *)NULL);
	perror(binary);
	_exit(1);
}

static int start_worker(criu_opts *opts, bool itself)
{
	int ends[2], pid = -1;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
		return -1;
	child = fork();
	if (child == 0) {
		close(ends[0]);
		become_worker(opts->path, ends[1], itself);
	}
	close(ends[1]);
	if (child < 0 || recv(ends[0], &pid, sizeof(pid), 0) != sizeof(pid)) {
		close(ends[0]);
		errno = child < 0 ? errno : ECHILD;
		if (child > 0)
			waitpid(child, NULL, 0);
		return -1;
	}
	if (itself)
		waitpid(child, NULL, 0); /* the one that made the daemon */
	opts->worker = pid;
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	return ends[0];
}

static int open_connection(criu_opts *opts, bool itself)
{
	int fd = -1;

	opts->worker = 0;
	if (opts->comm == CRIU_COMM_SK)
		fd = connect_address(opts->path);
	else if (opts->comm == CRIU_COMM_FD)
		fd = opts->fd;
	else
		fd = start_worker(opts, itself);
	if (fd < 0)
		perror("libcriu: no connection to criu");
	return fd;
}

static void close_connection(criu_opts *opts, int fd)
{
	int error = errno;

	close(fd);
	if (opts->worker > 0)
		waitpid(opts->worker, NULL, 0); /* a daemon is not ours to wait for */
	opts->worker = 0;
	errno = error;
}

/* --- messages --- */

static int send_message(int fd, const CriuReq *request)
{
	size_t size = criu_req__get_packed_size(request);
	uint8_t *packet = malloc(size);
	ssize_t n;

	if (!packet)
		return -ENOMEM;
	criu_req__pack(request, packet);
	do {
		n = send(fd, packet, size, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	free(packet);
	if (n == (ssize_t)size)
		return 0;
	perror("libcriu: sending a request");
	return -ECOMM;
}

static void keep_master(struct msghdr *header)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(header);

	if (control && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS)
		memcpy(&orphan_master, CMSG_DATA(control), sizeof(int));
}

static CriuResp *receive_message(int fd)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec piece = { 0 };
	struct msghdr header = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	CriuResp *message = NULL;
	ssize_t n;

	do {
		n = recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		errno = n < 0 ? errno : ECONNRESET;
		perror("libcriu: receiving an answer");
		return NULL;
	}
	piece.iov_base = malloc((size_t)n);
	piece.iov_len = (size_t)n;
	if (piece.iov_base && recvmsg(fd, &header, MSG_CMSG_CLOEXEC) == n) {
		keep_master(&header);
		message = criu_resp__unpack(NULL, (size_t)n, piece.iov_base);
	}
	free(piece.iov_base);
	return message;
}

/* Nobody waits for an answer to this. */
static void tell_progress(const criu_opts *opts, const ProgressReport *progress)
{
	const struct criu_progress told = {
		.what = progress->what,
		.done = progress->done,
		.total = progress->has_total ? progress->total : 0,
		.rate = progress->rate,
		.left = progress->has_left ? (int64_t)progress->left : -1,
		.us = progress->us,
		.end = progress->end,
	};

	if (opts->progress)
		opts->progress(&told);
}

static int answer_notification(const criu_opts *opts, int fd, const CriuNotify *notify)
{
	CriuReq answer = CRIU_REQ__INIT;
	int refused, error;

	if (notify && notify->progress) {
		tell_progress(opts, notify->progress);
		return 0;
	}
	refused = opts->notify && notify ? opts->notify(notify->script, (CriuNotify *)notify) : 0;
	answer.type = CRIU_REQ_TYPE__NOTIFY;
	answer.has_notify_success = true;
	answer.notify_success = !refused;
	error = send_message(fd, &answer);
	return refused ? refused : error;
}

/* One request on an open connection. A refusal of the callback wins over what criu makes of it. */
static int exchange_messages(const criu_opts *opts, int fd, const CriuReq *request, CriuReqType expected,
			     CriuResp **ret)
{
	int refused = 0, error = send_message(fd, request);
	CriuResp *message;

	*ret = NULL;
	if (error < 0)
		return error;
	for (;;) {
		message = receive_message(fd);
		if (!message)
			return refused ? refused : -ECOMM;
		if (message->type != CRIU_REQ_TYPE__NOTIFY)
			break;
		error = answer_notification(opts, fd, message->notify);
		criu_resp__free_unpacked(message, NULL);
		if (!refused)
			refused = error;
	}
	*ret = message;
	if (refused)
		return refused;
	errno = message->has_cr_errno ? message->cr_errno : 0;
	if (message->type == CRIU_REQ_TYPE__EMPTY)
		return -EINVAL;
	if (message->type != expected)
		return -EBADMSG;
	return message->success ? 0 : -EBADE;
}

static int send_request(criu_opts *opts, const CriuReq *request, CriuResp **ret)
{
	bool itself = request->type == CRIU_REQ_TYPE__DUMP && !opts->rpc->has_pid;
	int fd = open_connection(opts, itself), result;

	*ret = NULL;
	if (fd < 0)
		return -ECONNREFUSED;
	result = exchange_messages(opts, fd, request, request->type, ret);
	close_connection(opts, fd);
	return result;
}

static int ask_simply(criu_opts *opts, CriuReqType type, CriuOpts *fields)
{
	CriuReq request = CRIU_REQ__INIT;
	CriuResp *reply;
	int result, error;

	request.type = type;
	request.opts = fields;
	result = send_request(opts, &request, &reply);
	error = errno;
	if (result == 0 && reply->dump && reply->dump->has_restored && reply->dump->restored)
		result = 1;
	if (result == 0 && reply->restore)
		result = reply->restore->pid;
	if (reply)
		criu_resp__free_unpacked(reply, NULL);
	errno = error;
	return result;
}

/* --- the requests --- */

int criu_local_check(criu_opts *opts)
{
	return ask_simply(opts, CRIU_REQ_TYPE__CHECK, NULL);
}

int criu_local_dump(criu_opts *opts)
{
	return ask_simply(opts, CRIU_REQ_TYPE__DUMP, opts->rpc);
}

int criu_local_pre_dump(criu_opts *opts)
{
	return ask_simply(opts, CRIU_REQ_TYPE__SINGLE_PRE_DUMP, opts->rpc);
}

int criu_local_restore(criu_opts *opts)
{
	return ask_simply(opts, CRIU_REQ_TYPE__RESTORE, opts->rpc);
}

int criu_local_undo(criu_opts *opts, void (*tell)(const char *what, bool done, void *arg), void *arg)
{
	CriuReq request = CRIU_REQ__INIT;
	CriuResp *reply;
	int result, error;

	request.type = CRIU_REQ_TYPE__UNDO;
	request.opts = opts->rpc;
	result = send_request(opts, &request, &reply);
	error = errno;
	if (reply && reply->undo) {
		for (size_t i = 0; tell && i < reply->undo->n_done; i++)
			tell(reply->undo->done[i], true, arg);
		for (size_t i = 0; tell && i < reply->undo->n_left; i++)
			tell(reply->undo->left[i], false, arg);
		if (result == 0)
			result = (int)reply->undo->n_done;
	}
	if (reply)
		criu_resp__free_unpacked(reply, NULL);
	errno = error;
	return result;
}

static void copy_facts(const CriuMigrateResp *from, struct criu_migration *to)
{
	*to = (struct criu_migration){ .pid = from->pid,
				       .rounds = from->rounds,
				       .bytes = from->bytes,
				       .us = from->us,
				       .stood_us = from->stood_us,
				       .paused_us = from->paused_us };
	snprintf(to->id, sizeof(to->id), "%s", from->id ?: "");
}

int criu_local_migrate_ask(criu_opts *opts, const char *place, const char *id, struct criu_migration *ret)
{
	CriuReq request = CRIU_REQ__INIT;
	CriuOpts fields = *opts->rpc;
	CriuResp *reply;
	int result, error;

	fields.migrate_to = (char *)place;
	fields.migration = (char *)id;
	request.type = CRIU_REQ_TYPE__MIGRATE;
	request.opts = &fields;
	result = send_request(opts, &request, &reply);
	error = errno;
	if (reply && reply->migrate) {
		result = (int)reply->migrate->outcome;
		if (ret)
			copy_facts(reply->migrate, ret);
	}
	if (reply)
		criu_resp__free_unpacked(reply, NULL);
	errno = error;
	return result;
}

int criu_local_migrate(criu_opts *opts, const char *place, struct criu_migration *ret)
{
	return criu_local_migrate_ask(opts, place, NULL, ret);
}

/* Only an own criu can make us the parent. */
int criu_local_restore_child(criu_opts *opts)
{
	enum criu_service_comm comm = opts->comm;
	char *path = opts->path, binary[] = "criu";
	int result;

	if (comm != CRIU_COMM_BIN)
		opts->path = binary;
	opts->comm = CRIU_COMM_BIN;
	opts->rpc->has_rst_sibling = opts->rpc->rst_sibling = true;
	result = ask_simply(opts, CRIU_REQ_TYPE__RESTORE, opts->rpc);
	opts->rpc->has_rst_sibling = opts->rpc->rst_sibling = false;
	opts->comm = comm;
	opts->path = path;
	return result == -ECONNREFUSED ? -1 : result;
}

static int iterate_pre_dumps(criu_opts *opts, int fd, int (*more)(criu_predump_info pi))
{
	CriuReq request = CRIU_REQ__INIT;
	CriuResp *reply;
	int result;

	request.opts = opts->rpc;
	for (;;) {
		result = more(NULL);
		if (result < 0)
			return result;
		request.type = result ? CRIU_REQ_TYPE__PRE_DUMP : CRIU_REQ_TYPE__DUMP;
		result = exchange_messages(opts, fd, &request, request.type, &reply);
		if (reply)
			criu_resp__free_unpacked(reply, NULL);
		if (result || request.type == CRIU_REQ_TYPE__DUMP)
			return result;
	}
}

int criu_local_dump_iters(criu_opts *opts, int (*more)(criu_predump_info pi))
{
	int fd, result;

	if (!opts->rpc->has_pid || !more)
		return -EINVAL;
	fd = open_connection(opts, false);
	if (fd < 0)
		return -ECONNREFUSED;
	result = iterate_pre_dumps(opts, fd, more);
	close_connection(opts, fd);
	return result;
}

int criu_local_get_version(criu_opts *opts)
{
	CriuReq request = CRIU_REQ__INIT;
	CriuResp *reply;
	int result;

	request.type = CRIU_REQ_TYPE__VERSION;
	result = send_request(opts, &request, &reply);
	if (result == 0 && !reply->version)
		result = -EBADMSG;
	if (result == 0) {
		const CriuVersion *version = reply->version;

		result = version->major_number * 10000 + version->minor_number * 100;
		/* A build from between two versions counts as the next one. */
		result += version->gitid ? 100 : version->has_sublevel ? version->sublevel : 0;
	}
	if (reply)
		criu_resp__free_unpacked(reply, NULL);
	return result;
}

int criu_local_check_version(criu_opts *opts, int minimum)
{
	int version = criu_local_get_version(opts);

	return version < 0 ? version : version >= minimum;
}

int criu_local_feature_check(criu_opts *opts, struct criu_feature_check *features, size_t size)
{
	CriuReq request = CRIU_REQ__INIT;
	CriuFeatures wanted = CRIU_FEATURES__INIT;
	struct criu_feature_check known = { 0 };
	CriuResp *reply;
	int result;

	if (size > sizeof(known))
		return -1;
	memcpy(&known, features, size);
	wanted.has_mem_track = wanted.mem_track = known.mem_track;
	wanted.has_lazy_pages = wanted.lazy_pages = known.lazy_pages;
	wanted.has_pidfd_store = wanted.pidfd_store = known.pidfd_store;
	request.type = CRIU_REQ_TYPE__FEATURE_CHECK;
	request.features = &wanted;
	result = send_request(opts, &request, &reply);
	if (result == 0 && !reply->features)
		result = -EBADMSG;
	if (result == 0) {
		known = (struct criu_feature_check){ reply->features->mem_track, reply->features->lazy_pages,
						     reply->features->pidfd_store };
		memcpy(features, &known, size);
	}
	if (reply)
		criu_resp__free_unpacked(reply, NULL);
	return result;
}
