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
	assert_string_equal(o.join_ns.items[0].extra, "1,2");
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

/* Each switch of the table reaches its member. */
static void test_switches(void **state)
{
	const ProtobufCMessageDescriptor *type = &criu_opts__descriptor;
	unsigned seen = 0;

	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		CriuOpts r = plain_request();
		struct options o;

		if (field->type != PROTOBUF_C_TYPE_BOOL)
			continue;
		for (size_t k = 0; k < option_rows_count; k++) {
			char name[40] = "";

			for (size_t c = 0; !option_rows[k].group && option_rows[k].name[c]; c++)
				name[c] = option_rows[k].name[c] == '-' ? '_' : option_rows[k].name[c];
			if (strcmp(name, field->name) != 0 || option_rows[k].set != set_switch)
				continue;
			*(protobuf_c_boolean *)((char *)&r + field->quantifier_offset) = true;
			*(protobuf_c_boolean *)((char *)&r + field->offset) = true;
			assert_int_equal(apply(&o, CMD_DUMP, &r, &worker), 0);
			assert_true(*OPTION_MEMBER(&o, &option_rows[k], bool));
			options_done(&o);
			seen++;
		}
	}
	assert_int_equal(seen, 24);
}

/* Fields of the protocol that rows of options.def name. */
static const char *const of_rows[] = {
#define FIELD_NOT_IN_RPC      ""
#define FIELD_BOOL(field)     #field
#define FIELD_NUMBER(field)   #field
#define FIELD_NUMBER64(field) #field
#define FIELD_STRING(field)   #field
#define FIELD_STRINGS(field)  #field
#define FIELD_OWN(field)      #field
#define GROUP(title)
#define OPTION(name, letter, argument, how, member, commands, negatable, rpc, ...) FIELD_##rpc,
#include "options/options.def"
#undef OPTION
#undef GROUP
};

/* Those that the row of another field reads as well, or options_from_request(). */
static const char *const of_others[] = {
	"images_dir_fd",     "notify_scripts", "auto_ext_mnt",	 "unix_sk_ino",	  "manage_cgroups_mode",
	"orphan_pts_master", "tell_progress",  "pidfd_store_sk", "log_to_stderr",
};

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
		cmocka_unit_test(test_switches),    cmocka_unit_test(test_fields_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
