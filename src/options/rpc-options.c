/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests: criu_opts to struct options, by the column of options.def that names the field. What a
 * request leaves out has the default of CRIU's service, which is not always that of the command line. */
#include "options/rpc-options.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>

#include "base/array.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "base/vector.h"
#include "options/config-file.h"
#include "options/options-namespaces.h"
#include "options/options-set.h"
#include "options/options.h"
#include "options/row.h"
#include "options/rpc-words.h"

struct request_reader {
	const CriuOpts *opts;
	const struct rpc_client *client;
};

/* A function for a field that has a shape of its own: 1 = it was there, 0 = not, or -EBADRQC. */
#define RPC_FUNCTION(name)                                                           \
	static int rpc_##name(struct options *options, const struct option_row *row, \
			      const struct request_reader *request)

/* Fields of the peer's that stand for a file: opened again by whoever needs it. */
static const char *peer_path(struct options *options, const struct request_reader *request, int fd)
{
	return pool_printf(options->pool, "/proc/%d/fd/%d", request->client->pid, fd);
}

static int refuse_field(const char *field, const char *why)
{
	return refuse(EBADRQC, "request: %s: %s", field, why);
}

/* Without a pid the client itself is meant. */
RPC_FUNCTION(pid)
{
	const CriuOpts *opts = request->opts;

	if (!(options->command & (CMD_DUMP | CMD_PRE_DUMP | CMD_UNDO | CMD_MIGRATE)))
		return opts->has_pid && opts->pid > 0;
	if (opts->has_pid && opts->pid < 0)
		return refuse_field("pid", "it must be greater than 0");
	if (options->command & (CMD_UNDO | CMD_MIGRATE) && (!opts->has_pid || !opts->pid))
		return 0; /* undo: of the images alone */
	options->pid = opts->has_pid && opts->pid ? opts->pid : request->client->pid;
	return 1;
}

RPC_FUNCTION(rst_sibling)
{
	if (!request->opts->has_rst_sibling || !request->opts->rst_sibling)
		return 0;
	if (!request->client->worker)
		return refuse_field("rst_sibling", "a service cannot give its client a child; use criu swrk");
	options->restore_sibling = true;
	return 1;
}

RPC_FUNCTION(leave_stopped)
{
	if (!request->opts->leave_stopped)
		return 0;
	options->end = OPT_END_STOP;
	return 1;
}

/* Stopped wins. */
RPC_FUNCTION(leave_running)
{
	if (!request->opts->leave_running || request->opts->leave_stopped)
		return 0;
	options->end = OPT_END_RUN;
	return 1;
}

RPC_FUNCTION(images_dir)
{
	const CriuOpts *opts = request->opts;

	if (opts->images_dir_fd >= 0)
		options->images_dir = peer_path(options, request, opts->images_dir_fd);
	else if (opts->images_dir)
		return set_text(options, row, opts->images_dir) ?: 1;
	else if (options->command == CMD_MIGRATE)
		return 0;
	else if (options->command != CMD_CHECK)
		return refuse_field("images_dir_fd", "no images directory is given");
	return 1;
}

RPC_FUNCTION(work_dir_fd)
{
	if (!request->opts->has_work_dir_fd || request->opts->work_dir_fd < 0)
		return 0;
	options->work_dir = peer_path(options, request, request->opts->work_dir_fd);
	return 1;
}

RPC_FUNCTION(log_file)
{
	const char *name = request->opts->log_file;

	if (name && strchr(name, '/'))
		return refuse_field("log_file", "a name without slashes is wanted; the log lies in the work directory");
	if (!name &&
	    (request->opts->log_to_stderr || options->log_file)) /* of a config file or the command line of swrk */
		return 0;
	return set_text(options, row, name ?: "criu.log") ?: 1;
}

RPC_FUNCTION(log_level)
{
	if (!request->opts->has_log_level)
		return 0;
	options->verbosity = request->opts->log_level;
	return 1;
}

RPC_FUNCTION(cpu_cap)
{
	if (!request->opts->has_cpu_cap)
		return 0;
	options->cpu_cap = (request->opts->cpu_cap & OPT_CPU_ALL) | OPT_CPU_IMAGE;
	options->cpu_cap_given = true;
	return 1;
}

RPC_FUNCTION(exec_cmd)
{
	const CriuOpts *opts = request->opts;

	if (!opts->n_exec_cmd)
		return 0;
	options->exec_cmd = true;
	options->exec_argv = pool_array(options->pool, char *, opts->n_exec_cmd + 1);
	for (size_t i = 0; i < opts->n_exec_cmd; i++)
		options->exec_argv[i] = pool_string(options->pool, opts->exec_cmd[i]);
	return 1;
}

RPC_FUNCTION(network_lock)
{
	if (!request->opts->has_network_lock)
		return 0;
	switch (request->opts->network_lock) {
	case CRIU_NETWORK_LOCK_METHOD__IPTABLES:
		options->network_lock = OPT_LOCK_IPTABLES;
		return 1;
	case CRIU_NETWORK_LOCK_METHOD__NFTABLES:
		options->network_lock = OPT_LOCK_NFTABLES;
		return 1;
	case CRIU_NETWORK_LOCK_METHOD__SKIP:
		options->network_lock = OPT_LOCK_SKIP;
		return 1;
	default:
		return refuse_field("network_lock", "unknown method");
	}
}

RPC_FUNCTION(config_file)
{
	return request->opts->config_file ? set_text(options, row, request->opts->config_file) ?: 1 : 0;
}

RPC_FUNCTION(external)
{
	for (size_t i = 0; i < request->opts->n_external; i++)
		TRY(set_external(options, row, request->opts->external[i]));
	return request->opts->n_external != 0;
}

RPC_FUNCTION(ext_mnt)
{
	const CriuOpts *opts = request->opts;

	options->external_mounts_auto |= opts->auto_ext_mnt;
	for (size_t i = 0; i < opts->n_ext_mnt; i++)
		*vector_push(&options->external) =
			pool_printf(options->pool, "mnt[%s]:%s", opts->ext_mnt[i]->key, opts->ext_mnt[i]->val);
	return opts->n_ext_mnt || opts->auto_ext_mnt;
}

RPC_FUNCTION(veths)
{
	const CriuOpts *opts = request->opts;

	for (size_t i = 0; i < opts->n_veths; i++)
		*vector_push(&options->external) =
			pool_printf(options->pool, "veth[%s]:%s", opts->veths[i]->if_in, opts->veths[i]->if_out);
	return opts->n_veths != 0;
}

RPC_FUNCTION(ext_unix_sk)
{
	const CriuOpts *opts = request->opts;

	options->ext_unix_sk |= opts->ext_unix_sk || opts->n_unix_sk_ino;
	for (size_t i = 0; i < opts->n_unix_sk_ino; i++)
		*vector_push(&options->ext_unix_inodes) = opts->unix_sk_ino[i]->inode;
	return options->ext_unix_sk;
}

RPC_FUNCTION(inherit_fd)
{
	const CriuOpts *opts = request->opts;

	if (opts->n_inherit_fd && !request->client->worker)
		return refuse_field("inherit_fd", "a service has no descriptors of its client; use criu swrk");
	for (size_t i = 0; i < opts->n_inherit_fd; i++) {
		const InheritFd *one = opts->inherit_fd[i];

		TRY(set_inherit_fd(options, row, pool_printf(options->pool, "fd[%d]:%s", one->fd, one->key)));
	}
	return opts->n_inherit_fd != 0;
}

RPC_FUNCTION(join_ns)
{
	const CriuOpts *opts = request->opts;

	for (size_t i = 0; i < opts->n_join_ns; i++) {
		const JoinNamespace *one = opts->join_ns[i];

		TRY(set_join_ns(options, row,
				pool_printf(options->pool, "%s:%s%s%s", one->ns, one->ns_file,
					    one->extra_opt ? "," : "", one->extra_opt ?: "")));
	}
	return opts->n_join_ns != 0;
}

RPC_FUNCTION(empty_ns)
{
	if (!request->opts->empty_ns)
		return 0;
	if (request->opts->empty_ns != CLONE_NEWNET)
		return refuse_field("empty_ns", "only CLONE_NEWNET is possible");
	options->empty_ns = CLONE_NEWNET;
	return 1;
}

RPC_FUNCTION(manage_cgroups)
{
	static const enum opt_cgroups modes[] = {
		[CRIU_CG_MODE__IGNORE] = OPT_CGROUPS_IGNORE, [CRIU_CG_MODE__CG_NONE] = OPT_CGROUPS_NONE,
		[CRIU_CG_MODE__PROPS] = OPT_CGROUPS_PROPS,   [CRIU_CG_MODE__SOFT] = OPT_CGROUPS_SOFT,
		[CRIU_CG_MODE__FULL] = OPT_CGROUPS_FULL,     [CRIU_CG_MODE__STRICT] = OPT_CGROUPS_STRICT,
		[CRIU_CG_MODE__DEFAULT] = OPT_CGROUPS_SOFT,
	};
	const CriuOpts *opts = request->opts;

	if (opts->has_manage_cgroups)
		options->manage_cgroups = opts->manage_cgroups ? OPT_CGROUPS_SOFT : OPT_CGROUPS_IGNORE;
	if (opts->has_manage_cgroups_mode) {
		if ((unsigned)opts->manage_cgroups_mode >= ARRAY_SIZE(modes))
			return refuse_field("manage_cgroups_mode", "unknown mode");
		options->manage_cgroups = modes[opts->manage_cgroups_mode];
	}
	return opts->has_manage_cgroups_mode || (opts->has_manage_cgroups && opts->manage_cgroups);
}

RPC_FUNCTION(cg_root)
{
	const CriuOpts *opts = request->opts;

	for (size_t i = 0; i < opts->n_cg_root; i++) {
		const CgroupRoot *one = opts->cg_root[i];

		*vector_push(&options->cgroup_roots) = (struct opt_cgroup_root){
			.controller = one->ctrl && one->ctrl[0] ? pool_string(options->pool, one->ctrl) : NULL,
			.path = pool_string(options->pool, one->path),
		};
	}
	return opts->n_cg_root != 0;
}

/* Memory goes to a page server, unless it is we who shall serve it. */
RPC_FUNCTION(ps)
{
	if (options->command == CMD_PAGE_SERVER)
		return 0;
	options->use_page_server = request->opts->ps && !request->opts->lazy_pages;
	return options->use_page_server;
}

RPC_FUNCTION(address)
{
	const CriuPageServerInfo *ps = request->opts->ps;

	return ps && ps->address ? set_text(options, row, ps->address) ?: 1 : 0;
}

RPC_FUNCTION(port)
{
	const CriuPageServerInfo *ps = request->opts->ps;

	if (!ps || !ps->has_port || !ps->port) /* 0: chosen by the kernel */
		return 0;
	return set_port(options, row, pool_printf(options->pool, "%d", ps->port)) ?: 1;
}

RPC_FUNCTION(ps_fd)
{
	const CriuPageServerInfo *ps = request->opts->ps;

	if (!ps || !ps->has_fd)
		return 0;
	if (!request->client->worker)
		return refuse_field("ps.fd", "a service has no descriptors of its client; use criu swrk");
	return set_fd(options, row, pool_printf(options->pool, "%d", ps->fd)) ?: 1;
}

RPC_FUNCTION(pre_dump_mode)
{
	if (!request->opts->has_pre_dump_mode)
		return 0;
	options->pre_dump_mode =
		request->opts->pre_dump_mode == CRIU_PRE_DUMP_MODE__VM_READ ? OPT_PRE_DUMP_READ : OPT_PRE_DUMP_SPLICE;
	return 1;
}

/* An empty text: as without a value. */
static int set_with_default(struct options *options, const struct option_row *row, const char *value)
{
	if (!value)
		return 0;
	TRY(row->set(options, row, *value ? value : NULL));
	return 1;
}

RPC_FUNCTION(compress)
{
	return set_with_default(options, row, request->opts->compress);
}

RPC_FUNCTION(post_copy)
{
	return set_with_default(options, row, request->opts->post_copy);
}

/* Where a program goes has no option: it is the operand of the command. */
static int read_destination(struct options *options, const struct request_reader *request)
{
	const char *place = request->opts->migrate_to;

	if (options->command != CMD_MIGRATE)
		return 0;
	if (!place)
		return refuse_field("migrate_to", "where the program shall go is not said");
	if (!request->client->worker && text_starts(place, "fd:"))
		return refuse_field("migrate_to", "a service has no descriptors of its client; use criu swrk");
	options->destination = pool_string(options->pool, place);
	return 0;
}

RPC_FUNCTION(stream)
{
	if (!request->opts->has_stream)
		return 0;
	if (!request->client->worker)
		return refuse_field("stream", "a service has no descriptors of its client; use criu swrk");
	return set_stream(options, row, pool_printf(options->pool, "%d", request->opts->stream)) ?: 1;
}

/* Obsolete: the notification status-ready took its place. */
RPC_FUNCTION(status_fd)
{
	if (!request->opts->has_status_fd)
		return 0;
	log_warn("request: status_fd is obsolete, wait for the notification status-ready");
	options->status_fd = open(peer_path(options, request, request->opts->status_fd), O_WRONLY | O_CLOEXEC);
	return options->status_fd < 0 ? refuse(EBADRQC, "request: status_fd %d cannot be opened: %s",
					       request->opts->status_fd, strerror(errno))
				      : 1;
}

enum rpc_shape { SHAPE_NOT_IN_RPC, SHAPE_BOOL, SHAPE_NUMBER, SHAPE_STRING, SHAPE_STRINGS, SHAPE_OWN };

struct rpc_row {
	enum rpc_shape shape;
	size_t has, field; /* offsets in CriuOpts; has: also of the count of a list */
	size_t size;	   /* of a number */
	int (*own)(struct options *options, const struct option_row *row, const struct request_reader *request);
};

#define RPC_NOT_IN_RPC           \
	{                        \
		SHAPE_NOT_IN_RPC \
	}
#define RPC_BOOL(field)                                                                \
	{                                                                              \
		SHAPE_BOOL, offsetof(CriuOpts, has_##field), offsetof(CriuOpts, field) \
	}
#define RPC_NUMBER(field)                                                                 \
	{                                                                                 \
		SHAPE_NUMBER, offsetof(CriuOpts, has_##field), offsetof(CriuOpts, field), \
			sizeof(((CriuOpts *)0)->field)                                    \
	}
#define RPC_STRING(field)                                  \
	{                                                  \
		SHAPE_STRING, 0, offsetof(CriuOpts, field) \
	}
#define RPC_STRINGS(field)                                                              \
	{                                                                               \
		SHAPE_STRINGS, offsetof(CriuOpts, n_##field), offsetof(CriuOpts, field) \
	}
#define RPC_OWN(field)                                 \
	{                                              \
		.shape = SHAPE_OWN, .own = rpc_##field \
	}

/* The same rows as option_rows[]. */
static const struct rpc_row rpc_rows[] = {
#define GROUP(title)								   { SHAPE_NOT_IN_RPC },
#define OPTION(name, letter, argument, how, member, commands, negatable, rpc, ...) RPC_##rpc,
#include "options/options.def"
#undef OPTION
#undef GROUP
};

#define REQUEST_FIELD(request, offset, type) (*(type const *)((const char *)(request)->opts + (offset)))

static uint64_t read_number(const struct request_reader *request, const struct rpc_row *rpc)
{
	return rpc->size == sizeof(uint64_t) ? REQUEST_FIELD(request, rpc->field, uint64_t)
					     : REQUEST_FIELD(request, rpc->field, uint32_t);
}

/* 1 = the option was given, as on a command line; 0 = not. */
static int apply_row(struct options *options, size_t i, const struct request_reader *request)
{
	const struct option_row *row = &option_rows[i];
	const struct rpc_row *rpc = &rpc_rows[i];
	uint64_t number;
	char **strings;

	switch (rpc->shape) {
	case SHAPE_NOT_IN_RPC:
		return 0;
	case SHAPE_BOOL:
		if (!REQUEST_FIELD(request, rpc->has, protobuf_c_boolean))
			return 0;
		*OPTION_MEMBER(options, row, bool) = REQUEST_FIELD(request, rpc->field, protobuf_c_boolean);
		return *OPTION_MEMBER(options, row, bool);
	case SHAPE_NUMBER:
		if (!REQUEST_FIELD(request, rpc->has, protobuf_c_boolean))
			return 0;
		number = read_number(request, rpc);
		return row->set(options, row, pool_printf(options->pool, "%" PRIu64, number)) ?: 1;
	case SHAPE_STRING:
		strings = (char **)((const char *)request->opts + rpc->field);
		return *strings ? row->set(options, row, *strings) ?: 1 : 0;
	case SHAPE_STRINGS:
		strings = REQUEST_FIELD(request, rpc->field, char **);
		for (size_t k = 0; k < REQUEST_FIELD(request, rpc->has, size_t); k++)
			TRY(row->set(options, row, strings[k]));
		return REQUEST_FIELD(request, rpc->has, size_t) != 0;
	case SHAPE_OWN:
		return rpc->own(options, row, request);
	}
	return 0;
}

int options_read_external(const CriuOpts *opts, struct pool *pool, struct opt_list *ret)
{
	const struct option_row *row = option_rows;
	struct options options = { .pool = pool };
	int error = 0;

	while (row->group || strcmp(row->name, "external"))
		row++;
	for (size_t i = 0; i < opts->n_external && !error; i++)
		error = set_external(&options, row, opts->external[i]);
	*ret = options.external;
	return error;
}

/* What may travel to another machine does so as words of a command line. */
static void keep_words(struct options *options, size_t i, const struct request_reader *request)
{
	const struct option_row *row = &option_rows[i];
	const struct rpc_row *rpc = &rpc_rows[i];
	char **strings;

	switch (rpc->shape) {
	case SHAPE_BOOL:
		rpc_keep_word(options, row->name, NULL);
		break;
	case SHAPE_NUMBER:
		rpc_keep_word(options, row->name, pool_printf(options->pool, "%" PRIu64, read_number(request, rpc)));
		break;
	case SHAPE_STRING:
		rpc_keep_word(options, row->name, *(char **)((const char *)request->opts + rpc->field));
		break;
	case SHAPE_STRINGS:
		strings = REQUEST_FIELD(request, rpc->field, char **);
		for (size_t k = 0; k < REQUEST_FIELD(request, rpc->has, size_t); k++)
			rpc_keep_word(options, row->name, strings[k]);
		break;
	default:
		rpc_keep_own_words(options, row->name, request->opts);
	}
}

int options_from_request(struct options *options, const CriuOpts *opts, const struct rpc_client *client)
{
	const struct request_reader request = { opts, client };

	options_are_for_all(options);
	for (size_t i = 0; i < option_rows_count; i++) {
		int given = apply_row(options, i, &request);

		if (given < 0)
			return given == -EINVAL ? -EBADRQC : given;
		if (given)
			options->given[i] = OPT_GIVEN;
		if (given && options->command == CMD_MIGRATE)
			keep_words(options, i, &request);
	}
	TRY(read_destination(options, &request));
	/* What has no twin on the command line. */
	options->notify_scripts = opts->notify_scripts;
	options->orphan_pts_master = opts->orphan_pts_master;
	options->tell_progress = opts->tell_progress;
	options->progress = false; /* a terminal of ours is none of the client's */
	if (opts->has_pidfd_store_sk)
		log_info("request: pidfd_store_sk is not needed: what tracks the memory tells whether a pid is another "
			 "task's now");
	if (options->command == CMD_RESTORE)
		options->restore_detached = !options->exec_cmd; /* the command becomes the parent */
	/* Not options->config_file: that may be the --config of our own command line, which was read before the
	 * request. */
	return options_apply_config(options, opts->config_file, true) < 0 ? -EBADRQC : 0;
}
