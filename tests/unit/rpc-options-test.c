/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests to options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/fail.h"
#include "options/options-check.h"
#include "options/options-set.h"
#include "options/options.h"
#include "options/row.h"
#include "options/rpc-options.h"

static const struct rpc_client worker = { .pid = 4711, .worker = true }, service = { .pid = 4711 };

static int apply(struct options *o, enum command command, const CriuOpts *request, const struct rpc_client *client)
{
	failure_reset();
	options_init(o);
	o->command = command;
	return options_from_request(o, request, client);
}

/* Just whether it is refused. */
static int result_of(enum command command, const CriuOpts *request, const struct rpc_client *client)
{
	struct options o;
	int result = apply(&o, command, request, client);

	options_done(&o);
	return result;
}

static void test_directories(void **state)
{
	CriuOpts r = CRIU_OPTS__INIT;
	struct options o;

	assert_int_equal(result_of(CMD_DUMP, &r, &worker), -EBADRQC);
	assert_int_equal(result_of(CMD_CHECK, &r, &worker), 0);
	r.images_dir = (char *)"/images";
	assert_int_equal(apply(&o, CMD_DUMP, &r, &worker), 0);
	assert_string_equal(o.images_dir, "/images");
	assert_null(o.work_dir);
	assert_string_equal(o.log_file, "criu.log");
	options_done(&o);

	r.images_dir_fd = 5;
	r.has_work_dir_fd = true;
	r.work_dir_fd = 6;
	r.log_to_stderr = r.has_log_to_stderr = true;
	assert_int_equal(apply(&o, CMD_DUMP, &r, &worker), 0);
	assert_string_equal(o.images_dir, "/proc/4711/fd/5");
	assert_string_equal(o.work_dir, "/proc/4711/fd/6");
	assert_null(o.log_file);
	options_done(&o);

	r.log_file = (char *)"dump.log";
	assert_int_equal(apply(&o, CMD_DUMP, &r, &worker), 0);
	assert_string_equal(o.log_file, "dump.log");
	options_done(&o);
	r.log_file = (char *)"/tmp/dump.log";
	assert_int_equal(result_of(CMD_DUMP, &r, &worker), -EBADRQC);
}

static CriuOpts plain_request(void)
{
	CriuOpts r = CRIU_OPTS__INIT;

	r.images_dir_fd = 5;
	return r;
}

static void test_defaults(void **state)
{
	CriuOpts r = plain_request();
	struct options o, defaults;

	assert_int_equal(apply(&o, CMD_DUMP, &r, &service), 0);
	assert_int_equal(o.pid, 4711); /* the client itself */
	options_init(&defaults);
	assert_int_equal(o.verbosity, defaults.verbosity);
	assert_int_equal(o.cpu_cap, defaults.cpu_cap);
	assert_int_equal(o.ghost_limit, defaults.ghost_limit);
	assert_int_equal(o.manage_cgroups, defaults.manage_cgroups);
	assert_int_equal(o.timeout, defaults.timeout);
	assert_int_equal(options_check(&o), 0);
	assert_int_equal(o.end, OPT_END_KILL);
	options_done(&defaults);
	options_done(&o);

	assert_int_equal(apply(&o, CMD_RESTORE, &r, &service), 0);
	assert_true(o.restore_detached);
	assert_int_equal(o.pid, 0);
	assert_int_equal(options_check(&o), 0);
	options_done(&o);
}

static void test_numbers(void **state)
{
	CriuOpts r = plain_request();
	struct options o;

	r.has_pid = r.has_leave_running = r.has_shell_job = r.has_log_level = r.has_ghost_limit = r.has_cpu_cap = true;
	r.leave_running = r.shell_job = true;
	r.pid = 12;
	r.log_level = 4;
	r.ghost_limit = 4096;
	r.cpu_cap = OPT_CPU_INS;
	r.has_timeout = r.has_empty_ns = r.has_manage_cgroups = r.has_manage_cgroups_mode = r.has_network_lock = true;
	r.timeout = 3;
	r.empty_ns = CLONE_NEWNET;
	r.manage_cgroups = true;
	r.manage_cgroups_mode = CRIU_CG_MODE__STRICT;
	r.network_lock = CRIU_NETWORK_LOCK_METHOD__SKIP;

	assert_int_equal(apply(&o, CMD_DUMP, &r, &service), 0);
	assert_int_equal(o.pid, 12);
	assert_int_equal(o.end, OPT_END_RUN);
	assert_true(o.shell_job);
	assert_int_equal(o.verbosity, 4);
	assert_int_equal(o.ghost_limit, 4096);
	assert_int_equal(o.cpu_cap, OPT_CPU_INS | OPT_CPU_IMAGE);
	assert_int_equal(o.timeout, 3);
	assert_int_equal(o.empty_ns, CLONE_NEWNET);
	assert_int_equal(o.manage_cgroups, OPT_CGROUPS_STRICT);
	assert_int_equal(o.network_lock, OPT_LOCK_SKIP);
	options_done(&o);

	r.has_leave_stopped = r.leave_stopped = true;
	assert_int_equal(apply(&o, CMD_DUMP, &r, &service), 0);
	assert_int_equal(o.end, OPT_END_STOP);
	options_done(&o);
}

static void test_lists(void **state)
{
	CriuOpts r = plain_request();
	UnixSk inode = UNIX_SK__INIT, *inodes[] = { &inode };
	char *paths[] = { (char *)"/a", (char *)"/b" };
	ExtMountMap mount = EXT_MOUNT_MAP__INIT, *mounts[] = { &mount };
	CriuVethPair veth = CRIU_VETH_PAIR__INIT, *veths[] = { &veth };
	CgroupRoot root = CGROUP_ROOT__INIT, *roots[] = { &root };
	JoinNamespace join = JOIN_NAMESPACE__INIT, *joins[] = { &join };
	struct options o;

	inode.inode = 77;
	r.unix_sk_ino = inodes;
	r.skip_mnt = paths;
	r.n_skip_mnt = 2;
	mount.key = (char *)"/x";
	mount.val = (char *)"y";
	r.ext_mnt = mounts;
	veth.if_in = (char *)"eth0";
	veth.if_out = (char *)"out@br";
	r.veths = veths;
	root.path = (char *)"/cg";
	r.cg_root = roots;
	join.ns = (char *)"user";
	join.ns_file = (char *)"7";
	join.extra_opt = (char *)"1,2";
	r.join_ns = joins;
	r.n_unix_sk_ino = r.n_ext_mnt = r.n_veths = r.n_cg_root = r.n_join_ns = 1;
	r.has_auto_ext_mnt = r.auto_ext_mnt = r.has_ext_masters = r.ext_masters = true;

	assert_int_equal(apply(&o, CMD_DUMP, &r, &service), 0);
	assert_true(o.external_mounts_auto && o.external_mounts_masters && !o.external_mounts_sharing);
	assert_true(o.ext_unix_sk);
	assert_int_equal(o.ext_unix_inodes.items[0], 77);
	assert_string_equal(o.skip_mounts.items[1], "/b");
	assert_int_equal(o.external.n, 2);
	assert_string_equal(o.external.items[0], "mnt[/x]:y");
	assert_string_equal(o.external.items[1], "veth[eth0]:out@br");
	assert_string_equal(o.cgroup_roots.items[0].path, "/cg");
	assert_string_equal(o.join_ns.items[0].file, "/proc/7/ns/user");
	assert_true(o.join_ns.items[0].has_ids && o.join_ns.items[0].uid == 1 && o.join_ns.items[0].gid == 2);
	options_done(&o);
}

static void test_refused(void **state)
{
	CriuOpts r = plain_request();
	InheritFd one = INHERIT_FD__INIT, *list[] = { &one };

	r.has_empty_ns = true;
	r.empty_ns = CLONE_NEWNS;
	assert_int_equal(result_of(CMD_DUMP, &r, &worker), -EBADRQC);

	r = plain_request();
	r.lsm_profile = (char *)"other:x";
	assert_int_equal(result_of(CMD_RESTORE, &r, &worker), -EBADRQC);

	r = plain_request();
	r.has_pid = true;
	r.pid = -3;
	assert_int_equal(result_of(CMD_DUMP, &r, &worker), -EBADRQC);

	/* What only a worker of its own can be told. */
	r = plain_request();
	r.has_rst_sibling = r.rst_sibling = true;
	assert_int_equal(result_of(CMD_RESTORE, &r, &service), -EBADRQC);
	assert_int_equal(result_of(CMD_RESTORE, &r, &worker), 0);
	r = plain_request();
	one.key = (char *)"pipe:[3]";
	one.fd = 1;
	r.inherit_fd = list;
	r.n_inherit_fd = 1;
	assert_int_equal(result_of(CMD_RESTORE, &r, &service), -EBADRQC);
	assert_int_equal(result_of(CMD_RESTORE, &r, &worker), 0);
	one.fd = 999;
	assert_int_equal(result_of(CMD_RESTORE, &r, &worker), -EBADRQC);
}

/* The file that a request names beats the request. */
static void test_config_file(void **state)
{
	CriuOpts r = plain_request();
	char path[] = "/tmp/criu-rpc-XXXXXX";
	int fd = mkstemp(path);
	struct options o;

	assert_true(fd >= 0);
	assert_int_equal(dprintf(fd, "timeout 9\nimages-dir /from/file\nlog-file other.log\n"), 51);
	close(fd);
	r.has_timeout = true;
	r.timeout = 3;
	r.log_file = (char *)"dump.log";
	r.config_file = path;
	assert_int_equal(apply(&o, CMD_DUMP, &r, &service), 0);
	assert_int_equal(o.timeout, 9);
	assert_string_equal(o.images_dir, "/from/file");
	assert_string_equal(o.log_file, "other.log");
	options_done(&o);

	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(dprintf(fd, "nonsense\n"), 9);
	close(fd);
	assert_int_equal(result_of(CMD_DUMP, &r, &service), -EBADRQC);
	unlink(path);
}

/* What travels to another machine says there what the request has said here. */
static void test_words(void **state)
{
	CriuOpts r = plain_request();
	CgroupRoot root = CGROUP_ROOT__INIT;
	ExtMountMap mount = EXT_MOUNT_MAP__INIT;
	char *external[] = { (char *)"file[1:2]", (char *)"net[3]:x" };
	ExtMountMap *mounts[] = { &mount };
	CgroupRoot *roots[] = { &root };
	struct options here, there;

	r.migrate_to = (char *)"tcp://there:1";
	r.has_pid = r.has_cpu_cap = r.has_timeout = r.has_tcp_established = r.tcp_established = true;
	r.has_manage_cgroups_mode = r.has_ext_unix_sk = r.ext_unix_sk = r.has_round_size = true;
	r.pid = 7;
	r.cpu_cap = OPT_CPU_INS;
	r.timeout = 33;
	r.round_size = 5ull << 32;
	r.manage_cgroups_mode = CRIU_CG_MODE__STRICT;
	r.n_external = 2;
	r.external = external;
	root.ctrl = (char *)"cpu";
	root.path = (char *)"/there";
	r.n_cg_root = r.n_ext_mnt = 1;
	r.cg_root = roots;
	mount.key = (char *)"/a";
	mount.val = (char *)"/b";
	r.ext_mnt = mounts;

	assert_int_equal(apply(&here, CMD_MIGRATE, &r, &service), 0);
	assert_string_equal(here.destination, "tcp://there:1");
	assert_true(here.round_size == 5ull << 32);
	assert_int_equal(here.pid, 7);
	options_init(&there);
	there.command = CMD_RESTORE;
	for (size_t i = 0; i < here.words.n; i++)
		assert_int_equal(options_apply_word(&there, (char *)here.words.items[i]), 0);
	assert_int_equal(there.cpu_cap, here.cpu_cap);
	assert_int_equal(there.cpu_cap, OPT_CPU_INS | OPT_CPU_IMAGE);
	assert_int_equal(there.timeout, 33);
	assert_true(there.tcp_established && there.ext_unix_sk);
	assert_int_equal(there.manage_cgroups, OPT_CGROUPS_STRICT);
	assert_int_equal(there.external.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(there.external.items[i], here.external.items[i]);
	assert_int_equal(there.cgroup_roots.n, 1);
	assert_string_equal(there.cgroup_roots.items[0].controller, "cpu");
	assert_string_equal(there.cgroup_roots.items[0].path, "/there");
	options_done(&here);
	options_done(&there);

	r.migrate_to = (char *)"fd:3";
	assert_int_equal(result_of(CMD_MIGRATE, &r, &service), -EBADRQC);
	assert_int_equal(result_of(CMD_MIGRATE, &r, &worker), 0);
	r.migrate_to = NULL;
	assert_int_equal(result_of(CMD_MIGRATE, &r, &worker), -EBADRQC);
}

/* Fields of the protocol that rows of options.def name. */
static const char *const of_rows[] = {
#define FIELD_NOT_IN_RPC							   ""
#define FIELD_BOOL(field)							   #field
#define FIELD_NUMBER(field)							   #field
#define FIELD_STRING(field)							   #field
#define FIELD_STRINGS(field)							   #field
#define FIELD_OWN(field)							   #field
#define GROUP(title)								   "",
#define OPTION(name, letter, argument, how, member, commands, negatable, rpc, ...) FIELD_##rpc,
#include "options/options.def"
#undef OPTION
#undef GROUP
};

/* Rows whose field has a function of its own. */
static const bool is_own_row[] = {
#define IS_NOT_IN_RPC								   false
#define IS_BOOL(field)								   false
#define IS_NUMBER(field)							   false
#define IS_STRING(field)							   false
#define IS_STRINGS(field)							   false
#define IS_OWN(field)								   true
#define GROUP(title)								   false,
#define OPTION(name, letter, argument, how, member, commands, negatable, rpc, ...) IS_##rpc,
#include "options/options.def"
#undef OPTION
#undef GROUP
};

/* Where not any text will do. */
static const struct {
	const char *field, *value;
} samples[] = {
	{ "lsm_profile", "apparmor:x" }, { "map_path", "/a=/b" }, { "tcp_map", "10.0.0.1=10.0.0.2" },
	{ "unix_peer", "close" },	 { "joined", "leave" },
};

static char *sample_of(const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		if (!strcmp(samples[i].field, field))
			return (char *)samples[i].value;
	return (char *)"/dev/null";
}

#define NUMBER			   0x100000 /* none of the defaults is this */
#define MEMBER(base, offset, type) (*(type *)((char *)(base) + (offset)))

/* The field as no default is. False: it has a shape of its own, which other tests try. */
static bool fill_field(CriuOpts *r, const ProtobufCFieldDescriptor *field, const struct options *defaults,
		       const struct option_row *row, char **texts)
{
	texts[0] = texts[1] = sample_of(field->name);
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL && field->type != PROTOBUF_C_TYPE_STRING)
		MEMBER(r, field->quantifier_offset, protobuf_c_boolean) = true;
	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL:
		if (row->set != set_switch)
			return false;
		MEMBER(r, field->offset, protobuf_c_boolean) = !MEMBER(defaults, row->member, bool);
		return true;
	case PROTOBUF_C_TYPE_UINT32:
		MEMBER(r, field->offset, uint32_t) = NUMBER;
		return row->set == set_number || row->set == set_size;
	case PROTOBUF_C_TYPE_UINT64:
		MEMBER(r, field->offset, uint64_t) = NUMBER * (1ull << 32);
		return true;
	case PROTOBUF_C_TYPE_STRING:
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			MEMBER(r, field->quantifier_offset, size_t) = 2;
			MEMBER(r, field->offset, char **) = texts;
		} else {
			MEMBER(r, field->offset, char *) = texts[0];
		}
		return row->set != set_text || strcmp(row->name, "config") != 0;
	default:
		return false;
	}
}

/* The first of what a vector has is its items. */
static bool has_reached(const ProtobufCFieldDescriptor *field, const struct options *o, const struct options *defaults,
			const struct option_row *row)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL:
		return MEMBER(o, row->member, bool) != MEMBER(defaults, row->member, bool);
	case PROTOBUF_C_TYPE_UINT32:
		return MEMBER(o, row->member, uint32_t) == NUMBER;
	case PROTOBUF_C_TYPE_UINT64:
		return MEMBER(o, row->member, uint64_t) == NUMBER * (1ull << 32);
	default:
		return MEMBER(o, row->member, const void *) != NULL;
	}
}

/* Each field that has a row and no shape of its own reaches its member, as a whole. */
static void test_rows(void **state)
{
	struct options defaults;
	unsigned seen = 0;

	options_init(&defaults);
	for (size_t k = 0; k < option_rows_count; k++) {
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field_by_name(&criu_opts__descriptor, of_rows[k]);
		CriuOpts r = plain_request();
		struct options o;
		char *texts[2];

		if (!field || is_own_row[k] || !fill_field(&r, field, &defaults, &option_rows[k], texts))
			continue;
		assert_int_equal(apply(&o, CMD_DUMP, &r, &worker), 0);
		if (!has_reached(field, &o, &defaults, &option_rows[k]))
			assert_string_equal(field->name, "a field that has an effect");
		options_done(&o);
		seen++;
	}
	options_done(&defaults);
	assert_int_equal(seen, 64);
}

/* As on the command line. */
static void test_bad_numbers(void **state)
{
	CriuOpts r = plain_request();

	r.has_bandwidth = true;
	r.bandwidth = 1000;
	assert_int_equal(result_of(CMD_DUMP, &r, &worker), -EBADRQC);
	assert_non_null(strstr(failure_text(), "64K or more"));
}

/* Those that the row of another field reads as well, or options_from_request(). */
static const char *const of_others[] = {
	"images_dir_fd",     "notify_scripts", "auto_ext_mnt",	 "unix_sk_ino",	  "manage_cgroups_mode",
	"orphan_pts_master", "tell_progress",  "pidfd_store_sk", "log_to_stderr", "migrate_to",
};

/* Fields with a shape of their own that the tests above do not have. */
static void test_shapes(void **state)
{
	CriuPageServerInfo ps = CRIU_PAGE_SERVER_INFO__INIT;
	char *command[] = { (char *)"echo", (char *)"done" };
	CriuOpts r = plain_request();
	struct options o;

	ps.address = (char *)"10.0.0.1";
	ps.has_port = ps.has_fd = r.has_pre_dump_mode = r.has_stream = true;
	ps.port = 77;
	ps.fd = STDERR_FILENO;
	r.ps = &ps;
	r.pre_dump_mode = CRIU_PRE_DUMP_MODE__VM_READ;
	r.compress = (char *)"zstd:7";
	r.stream = STDERR_FILENO;
	assert_int_equal(apply(&o, CMD_PRE_DUMP, &r, &worker), 0);
	assert_true(o.use_page_server && o.port == 77 && o.page_server_fd == STDERR_FILENO);
	assert_string_equal(o.address, "10.0.0.1");
	assert_int_equal(o.pre_dump_mode, OPT_PRE_DUMP_READ);
	assert_int_equal(o.compression_level, 7);
	assert_true(o.stream && o.stream_fd == STDERR_FILENO);
	options_done(&o);
	assert_int_equal(result_of(CMD_PRE_DUMP, &r, &service), -EBADRQC);

	r = plain_request();
	r.exec_cmd = command;
	r.n_exec_cmd = 2;
	r.has_notify_scripts = r.notify_scripts = r.has_tell_progress = r.tell_progress = true;
	r.has_orphan_pts_master = r.orphan_pts_master = true;
	assert_int_equal(apply(&o, CMD_RESTORE, &r, &worker), 0);
	assert_string_equal(o.exec_argv[1], "done");
	assert_null(o.exec_argv[2]);
	assert_true(o.notify_scripts && o.tell_progress && o.orphan_pts_master && !o.restore_detached);
	options_done(&o);
}

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* One that nobody reads would be passed over without a word. */
static void test_fields_are_known(void **state)
{
	for (unsigned i = 0; i < criu_opts__descriptor.n_fields; i++) {
		const char *name = criu_opts__descriptor.fields[i].name;

		bool has_row = is_one_of(name, of_rows, ARRAY_SIZE(of_rows));

		if (has_row == is_one_of(name, of_others, ARRAY_SIZE(of_others)))
			assert_string_equal(name, has_row ? "a row, and of_others" : "no row of options.def");
	}
	for (size_t i = 0; i < ARRAY_SIZE(of_others); i++)
		assert_non_null(protobuf_c_message_descriptor_get_field_by_name(&criu_opts__descriptor, of_others[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directories), cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_numbers),	    cmocka_unit_test(test_lists),
		cmocka_unit_test(test_refused),	    cmocka_unit_test(test_config_file),
		cmocka_unit_test(test_rows),	    cmocka_unit_test(test_bad_numbers),
		cmocka_unit_test(test_shapes),	    cmocka_unit_test(test_fields_are_known),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
