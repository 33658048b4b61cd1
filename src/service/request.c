/* SPDX-License-Identifier: GPL-2.0-only */
/* The kinds of requests, one row each. */
#include "service/request.h"

#include "base/grace.h"
#include "flow/dump/pre-dump.h"
#include "options/options-check.h"
#include "service/connection.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "flow/cpuinfo.h"
#include "flow/dump.h"
#include "flow/page-server.h"
#include "flow/restore.h"
#include "image/store.h"
#include "kern/pidfd.h"
#include "kern/probe.h"
#include "options/rpc-options.h"
#include "options/way-out.h"
#include "service/service.h"

/* Each returns 0 or -errno after the reason was logged, and fills what belongs into the answer in both cases. */
#define RUN(name) static int run_##name(struct request *request)

RUN(dump)
{
	const CriuOpts *opts = request->message->opts;
	bool itself = !opts->has_pid || !opts->pid;
	int error = dump_run(&request->options, &request->listener);

	criu_dump_resp__init(&request->dump);
	request->dump.has_restored = true;
	request->answer->dump = &request->dump;
	/* Dumped and killed: it is answered when it is restored. */
	request->silent = error == 0 && itself && request->options.end != OPT_END_RUN;
	return error;
}

RUN(pre_dump)
{
	return pre_dump(&request->options, &request->listener, NULL);
}

RUN(restore)
{
	int error = restore_run(&request->options, &request->listener, &request->restored);

	if (request->restored.root > 0)
		request->restore.pid = request->restored.root;
	request->restore.n_copies = request->restored.n_copies;
	request->restore.copies = request->restored.copies;
	return error;
}

/* In a child: what is tried there leaves no traces here. What it prints belongs into the log. */
RUN(check)
{
	int status, code;
	pid_t pid = fork();

	if (pid < 0)
		return fail_errno("making a process for the check");
	if (pid == 0) {
		dup2(log_fd(), STDOUT_FILENO);
		code = request->connection->program->check(&request->options);
		log_flush();
		_exit(code);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno("waiting for the check");
	return status == 0 ? 0 : -EOPNOTSUPP;
}

/* Of a service each worker has one at most, and does not end before it: so there are no more than connections. */
static int check_page_servers(struct connection *connection)
{
	if (connection->page_server < 0)
		return 0;
	if (pidfd_wait_exit(connection->page_server, GRACE_PAGE_SERVER_MS) < 0)
		return refuse(EBUSY,
			      "a page server of this connection still runs: wait for its end, or connect once more");
	close(TAKE_FD(connection->page_server));
	return 0;
}

/* The server is a child of ours, for whom the client can wait; or of nobody, as soon as we end. */
RUN(page_server)
{
	CriuPageServerInfo *server = &request->server;
	uint16_t port;
	int pid;

	TRY(check_page_servers(request->connection));
	pid = page_server(&request->options, &request->listener, true, &port);
	TRY(pid);
	if (!request->connection->swrk)
		request->connection->page_server = pidfd_of_process(pid);
	criu_page_server_info__init(server);
	server->has_pid = server->has_port = true;
	server->pid = pid;
	server->port = port;
	request->answer->ps = server;
	return 0;
}

RUN(cpuinfo_dump)
{
	AUTO(store_close) struct store *store = NULL;

	TRY(store_open_dir(request->options.images_dir_fd, true, &store));
	return cpuinfo_write(store);
}

RUN(cpuinfo_check)
{
	unsigned modes = request->options.cpu_cap & OPT_CPU_ALL;
	AUTO(store_close) struct store *store = NULL;

	TRY(store_open_dir(request->options.images_dir_fd, false, &store));
	return cpuinfo_check(store, modes ?: OPT_CPU_ALL);
}

static bool has_feature(struct probes *probes, bool wanted, enum feature_id id)
{
	return wanted && probe_has(probes, id);
}

RUN(feature_check)
{
	CriuFeatures *found = &request->features;
	const CriuFeatures *wanted = request->message->features;
	struct probes probes = { 0 };

	criu_features__init(found);
	found->has_mem_track = found->has_lazy_pages = found->has_pidfd_store = true;
	if (wanted) {
		found->mem_track = has_feature(&probes, wanted->mem_track, FEATURE_ID_mem_dirty_track);
		found->lazy_pages = has_feature(&probes, wanted->lazy_pages, FEATURE_ID_uffd_noncoop);
		found->pidfd_store = has_feature(&probes, wanted->pidfd_store, FEATURE_ID_pidfd_store);
	}
	request->answer->features = found;
	return 0;
}

RUN(version)
{
	CriuVersion *version = &request->version;

	criu_version__init(version);
	version->major_number = request->connection->program->version_major;
	version->minor_number = request->connection->program->version_minor;
	request->answer->version = version;
	return 0;
}

RUN(undo)
{
	CriuUndoResp *found = &request->undo;
	struct undone *undone = &request->undone;
	int error = undo_run(&request->options, undone);

	criu_undo_resp__init(found);
	found->n_done = undone->done.n;
	found->done = (char **)undone->done.items;
	found->n_left = undone->left.n;
	found->left = (char **)undone->left.items;
	for (size_t i = 0; i < found->n_done; i++)
		text_make_utf8(found->done[i]);
	for (size_t i = 0; i < found->n_left; i++)
		text_make_utf8(found->left[i]);
	request->answer->undo = found;
	return error;
}

/* What has become of it is told in any case: to fail is not to be where one was. */
static void tell_migrated(struct request *request)
{
	const struct migration_facts *facts = &request->migration;
	CriuMigrateResp *told = &request->migrate;

	criu_migrate_resp__init(told);
	told->outcome = (uint32_t)facts->result;
	told->id = facts->id[0] ? (char *)facts->id : NULL;
	told->has_pid = facts->root > 0;
	told->pid = facts->root;
	if (!request->options.ask) {
		told->has_rounds = told->has_bytes = told->has_us = told->has_stood_us = told->has_paused_us = true;
		told->rounds = facts->rounds;
		told->bytes = facts->bytes;
		told->us = facts->took_ns / 1000;
		told->stood_us = facts->stood_ns / 1000;
		told->paused_us = facts->paused_ns / 1000;
	}
	request->answer->migrate = told;
}

RUN(migrate)
{
	const struct options *options = &request->options;

	log_keep_messages();
	if (options->ask)
		(void)migrate_ask(options, &request->migration);
	else
		(void)migrate_tree(options, &request->listener, &request->migration);
	tell_migrated(request);
	return request->migration.result == MIGRATED ? 0 : -ECANCELED;
}

RUN(wait_pid)
{
	CriuResp *answer = request->answer;

	if (!request->message->has_pid || waitpid((pid_t)request->message->pid, &answer->status, 0) < 0)
		return -ECHILD;
	answer->has_status = true;
	return 0;
}

/* How the options are read. */
enum needs {
	NEEDS_NOTHING, /* none are sent */
	NEEDS_LOG,     /* directories only if there is a log file */
	NEEDS_IMAGES,
};

static const struct row {
	CriuReqType type, answer;
	bool may_keep_open;
	enum needs needs;
	enum command command;
	int (*run)(struct request *request);
} rows[] = {
	{ CRIU_REQ_TYPE__DUMP, CRIU_REQ_TYPE__DUMP, false, NEEDS_IMAGES, CMD_DUMP, run_dump },
	{ CRIU_REQ_TYPE__RESTORE, CRIU_REQ_TYPE__RESTORE, false, NEEDS_IMAGES, CMD_RESTORE, run_restore },
	{ CRIU_REQ_TYPE__CHECK, CRIU_REQ_TYPE__CHECK, false, NEEDS_LOG, CMD_CHECK, run_check },
	{ CRIU_REQ_TYPE__PRE_DUMP, CRIU_REQ_TYPE__PRE_DUMP, false, NEEDS_IMAGES, CMD_PRE_DUMP, run_pre_dump },
	{ CRIU_REQ_TYPE__SINGLE_PRE_DUMP, CRIU_REQ_TYPE__SINGLE_PRE_DUMP, false, NEEDS_IMAGES, CMD_PRE_DUMP,
	  run_pre_dump },
	{ CRIU_REQ_TYPE__PAGE_SERVER, CRIU_REQ_TYPE__PAGE_SERVER, true, NEEDS_IMAGES, CMD_PAGE_SERVER,
	  run_page_server },
	{ CRIU_REQ_TYPE__PAGE_SERVER_CHLD, CRIU_REQ_TYPE__PAGE_SERVER, true, NEEDS_IMAGES, CMD_PAGE_SERVER,
	  run_page_server },
	{ CRIU_REQ_TYPE__CPUINFO_DUMP, CRIU_REQ_TYPE__CPUINFO_DUMP, true, NEEDS_IMAGES, CMD_CPUINFO_DUMP,
	  run_cpuinfo_dump },
	{ CRIU_REQ_TYPE__CPUINFO_CHECK, CRIU_REQ_TYPE__CPUINFO_CHECK, true, NEEDS_IMAGES, CMD_CPUINFO_CHECK,
	  run_cpuinfo_check },
	{ CRIU_REQ_TYPE__FEATURE_CHECK, CRIU_REQ_TYPE__FEATURE_CHECK, true, NEEDS_NOTHING, 0, run_feature_check },
	{ CRIU_REQ_TYPE__VERSION, CRIU_REQ_TYPE__VERSION, true, NEEDS_NOTHING, 0, run_version },
	{ CRIU_REQ_TYPE__UNDO, CRIU_REQ_TYPE__UNDO, true, NEEDS_IMAGES, CMD_UNDO, run_undo },
	{ CRIU_REQ_TYPE__MIGRATE, CRIU_REQ_TYPE__MIGRATE, false, NEEDS_IMAGES, CMD_MIGRATE, run_migrate },
	{ CRIU_REQ_TYPE__WAIT_PID, CRIU_REQ_TYPE__WAIT_PID, false, NEEDS_NOTHING, 0, run_wait_pid },
};

static const struct row *find_row(CriuReqType type)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].type == type)
			return &rows[i];
	return NULL;
}

bool request_may_keep_open(CriuReqType type)
{
	const struct row *row = find_row(type);

	return row && row->may_keep_open;
}

/* Defaults, our own config files and command line, the request, the config file that it names. */
static int read_options(struct request *request, const struct row *row, const CriuOpts *opts)
{
	const struct connection *connection = request->connection;
	const struct rpc_client client = { connection->peer.pid, connection->swrk };
	struct options *options = &request->options;

	if (connection->base && options_parse(options, connection->base->argc, connection->base->argv) < 0)
		return -EBADRQC;
	options->command = row->command;
	/* A worker that has taken the rights of its client is not asked whether it may do with them. */
	options->unprivileged |= connection->ordinary;
	TRY(options_from_request(options, opts, &client));
	if (row->needs == NEEDS_LOG && (!opts->log_file || opts->log_to_stderr))
		options->log_file = NULL;
	log_set_level(options->verbosity);
	return 0;
}

static int open_log(struct request *request, const struct row *row)
{
	struct options *options = &request->options;
	int error;

	if (row->needs == NEEDS_IMAGES || options->log_file)
		TRY(request->connection->program->open_directories(options));
	error = log_open(options->log_file);
	if (error < 0)
		return log_refuse_file(options->log_file, error);
	request->connection->program->introduce();
	return 0;
}

/* A config file of the client may say what its request may not. */
static int check_service(const struct connection *connection, const struct options *options)
{
	if (connection->swrk)
		return 0;
	if (connection->ordinary && options->command == CMD_MIGRATE)
		return refuse(EACCES,
			      "a service migrates for root only: it would use the keys of root. Run criu migrate, "
			      "or criu swrk");
	if (options->restore_sibling || options->inherit_fds.n || options->page_server_fd >= 0)
		return refuse(EBADRQC,
			      "config file %s: restore-sibling, inherit-fd and ps-socket need criu swrk: a service has "
			      "no children "
			      "and no descriptors for its client",
			      options->config_file);
	if (connection->ordinary && options->libdir)
		return refuse(EBADRQC, "config file %s: libdir: only root chooses the plugins of the service",
			      options->config_file);
	return 0;
}

/* Before anything is read for it. A filtered client may have itself dumped, into a directory that it holds open. */
static int check_confinement(const struct connection *connection, const struct row *row, const CriuOpts *opts)
{
	bool itself =
		row->type == CRIU_REQ_TYPE__DUMP && (!opts->has_pid || !opts->pid || opts->pid == connection->peer.pid);

	if (connection->confinement == CLIENT_FREE)
		return 0;
	if (connection->confinement == CLIENT_FILTERED && itself && opts->images_dir_fd >= 0 && !opts->config_file)
		return 0;
	return refuse(
		EACCES,
		"the client, process %d of user %u, is confined by %s, and what the service does for it would not be",
		connection->peer.pid, connection->peer.uid, connection->confined_by);
}

static int prepare_row(struct request *request, const struct row *row)
{
	CriuOpts none = CRIU_OPTS__INIT;
	const CriuOpts *opts = request->message->opts;
	const char *missing;

	if (request->connection->swrk)
		way_out_begin(request->connection->peer.pid, row->command == CMD_RESTORE,
			      opts ? opts->config_file : NULL);
	if (!opts && row->needs == NEEDS_IMAGES)
		return refuse(EBADRQC, "the request has no options");
	TRY(check_confinement(request->connection, row, opts ?: &none));
	TRY(read_options(request, row, opts ?: &none));
	TRY(check_service(request->connection, &request->options));
	TRY(open_log(request, row));
	missing = request->connection->program->missing_rights(&request->options);
	if (missing)
		return refuse(EBADRQC, "%s", missing);
	return options_check(&request->options);
}

bool request_run(struct request *request)
{
	const struct row *row = find_row(request->message->type);
	int error = 0;

	if (!row)
		return false;
	request->answer->type = row->answer;
	if (row->type == CRIU_REQ_TYPE__RESTORE) {
		criu_restore_resp__init(&request->restore);
		request->restore.pid = -1;
		request->answer->restore = &request->restore;
	}
	if (row->needs != NEEDS_NOTHING)
		request->bad_options = (error = prepare_row(request, row)) < 0;
	else
		(void)log_open(NULL); /* cannot fail */
	if (error == 0)
		error = row->run(request);
	request->answer->success = error == 0;
	return true;
}
