/* SPDX-License-Identifier: GPL-2.0-only */
/* The option table, the command line, and what goes together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "options/options-check.h"
#include "options/options-set.h"
#include "options/options.h"
#include "options/row.h"
#include "options/way-out.h"

/* Parses "criu WORDS ...". Each test ends with options_done(). */
#define PARSE(options, ...) parse(options, (char *[]){ (char *)"criu", __VA_ARGS__, NULL })

static int parse(struct options *options, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	failure_reset();
	options_init(options);
	return options_parse(options, argc, argv);
}

/* Parses and checks; the result of the first that refuses. */
#define CHECKED(...) checked((char *[]){ (char *)"criu", __VA_ARGS__, NULL })

static int checked(char **argv)
{
	struct options options;
	int result = parse(&options, argv);

	if (!result)
		result = options_check(&options);
	options_done(&options);
	return result;
}

#define REFUSED(...) assert_int_equal(CHECKED(__VA_ARGS__), -EBADRQC)
#define USAGE(...)   assert_int_equal(CHECKED(__VA_ARGS__), -EINVAL)
#define FINE(...)    assert_int_equal(CHECKED(__VA_ARGS__), 0)

static void test_table(void **state)
{
	for (size_t i = 0; i < option_rows_count; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->group)
			continue;
		assert_non_null(row->name);
		assert_non_null(row->set);
		assert_true(strlen(row->name) < 32);
		assert_true(row->commands != 0 && !(row->commands & ~(unsigned)CMD_ALL));
		/* Switches, and only they, can be switched off; what takes a value says what. */
		assert_true(!row->negatable || row->set == set_switch || row->set == set_stream);
		assert_int_equal(row->argument != no_argument, row->value_name != NULL);
		for (size_t k = i + 1; k < option_rows_count; k++) {
			if (option_rows[k].group)
				continue;
			assert_string_not_equal(row->name, option_rows[k].name);
			assert_true(!row->letter || row->letter != option_rows[k].letter);
		}
	}
}

static void test_defaults(void **state)
{
	struct options o;

	assert_int_equal(PARSE(&o, "dump", "-t", "7"), OPTIONS_RUN);
	assert_int_equal(options_check(&o), 0);
	assert_int_equal(o.command, CMD_DUMP);
	assert_int_equal(o.pid, 7);
	assert_int_equal(o.end, OPT_END_KILL);
	assert_int_equal(o.timeout, 10);
	assert_int_equal(o.ghost_limit, 1 << 20);
	assert_int_equal(o.verbosity, 2);
	assert_int_equal(o.cpu_cap, OPT_CPU_DEFAULT);
	assert_int_equal(o.file_validation, OPT_FILE_BUILD_ID);
	assert_string_equal(o.images_dir, ".");
	assert_null(o.work_dir);
	assert_int_equal(o.status_fd, -1);
	options_done(&o);

	assert_int_equal(PARSE(&o, "restore"), OPTIONS_RUN);
	assert_int_equal(options_check(&o), 0);
	assert_int_equal(o.end, OPT_END_RUN);
	options_done(&o);
}

static void test_forms(void **state)
{
	struct options o;

	/* Before and after the command, = or blank, prefixes, clusters, --no-. */
	assert_int_equal(PARSE(&o, "-D", "/a", "restore", "--work-dir=/b", "--restore-det", "-jvv", "--no-shell-job",
			       "-o-"),
			 OPTIONS_RUN);
	assert_string_equal(o.images_dir, "/a");
	assert_string_equal(o.work_dir, "/b");
	assert_true(o.restore_detached);
	assert_false(o.shell_job);
	assert_int_equal(o.verbosity, 4);
	assert_string_equal(o.log_file, "-");
	options_done(&o);

	assert_int_equal(PARSE(&o, "restore", "-s", "-R", "-s"), OPTIONS_RUN);
	assert_int_equal(o.end, OPT_END_STOP);
	options_done(&o);
	assert_int_equal(PARSE(&o, "dump", "-s", "-R"), OPTIONS_RUN);
	assert_int_equal(o.end, OPT_END_RUN);
	options_done(&o);
}

static int verbosity_of(char *word, char *another)
{
	struct options o;
	int result = parse(&o, (char *[]){ (char *)"criu", (char *)"check", word, another, NULL }) ?: o.verbosity;

	options_done(&o);
	return result;
}

static void test_verbosity(void **state)
{
	assert_int_equal(verbosity_of("-v", NULL), 3);
	assert_int_equal(verbosity_of("-v", "-v"), 4);
	assert_int_equal(verbosity_of("-vv", NULL), 4);
	assert_int_equal(verbosity_of("-vvvvvv", NULL), 8);
	assert_int_equal(verbosity_of("-v4", NULL), 4);
	assert_int_equal(verbosity_of("-v0", NULL), OPTIONS_RUN);
	assert_int_equal(verbosity_of("--verbosity=1", NULL), 1);
	assert_int_equal(verbosity_of("--verbosity", NULL), 3);
	assert_int_equal(verbosity_of("-vx", NULL), OPTIONS_RUN);
	assert_int_equal(verbosity_of("-verbosity=0", NULL), OPTIONS_RUN);
	assert_int_equal(verbosity_of("-verbose", NULL), OPTIONS_RUN);
	assert_int_equal(verbosity_of("--verbosity=x", NULL), -EBADRQC);
	assert_int_equal(verbosity_of("-v-1", NULL), -EBADRQC);
}

static int cpu_cap_of(char *word)
{
	struct options o;
	int result = PARSE(&o, "dump", "-t", "1", word) ?: (int)o.cpu_cap;

	options_done(&o);
	return result;
}

static void test_cpu_cap(void **state)
{
	enum { FPU = OPT_CPU_FPU, CPU = OPT_CPU_CPU, INS = OPT_CPU_INS, IMAGE = OPT_CPU_IMAGE };

	assert_int_equal(cpu_cap_of("--cpu-cap"), FPU | CPU | INS | IMAGE);
	assert_int_equal(cpu_cap_of("--cpu-cap=cpu"), FPU | CPU | INS | IMAGE);
	assert_int_equal(cpu_cap_of("--cpu-cap=fpu"), FPU | INS | IMAGE);
	assert_int_equal(cpu_cap_of("--cpu-cap=^fpu"), INS | IMAGE);
	assert_int_equal(cpu_cap_of("--cpu-cap=^fpu,cpu"), CPU | INS | IMAGE);
	assert_int_equal(cpu_cap_of("--cpu-cap=none"), 0);
	assert_int_equal(cpu_cap_of("--cpu-cap=none,ins"), INS | IMAGE);
	assert_int_equal(cpu_cap_of("--cpu-cap=ins,none"), 0);
	assert_int_equal(cpu_cap_of("--cpu-cap=^all"), IMAGE);
	assert_int_equal(cpu_cap_of("--cpu-cap=all,bogus"), -EINVAL);
}

static void test_values(void **state)
{
	struct options o;

	assert_int_equal(PARSE(&o, "dump", "-t", "1", "--ghost-limit", "3K", "--timeout", "77",
			       "--manage-cgroups=strict", "--network-lock", "none", "--file-validation", "filesize",
			       "--enable-fs", "a,b", "--enable-fs", "all", "-x12,13", "--irmap-scan-path", "/x"),
			 OPTIONS_RUN);
	assert_int_equal(o.ghost_limit, 3072);
	assert_int_equal(o.timeout, 77);
	assert_int_equal(o.manage_cgroups, OPT_CGROUPS_STRICT);
	assert_int_equal(o.network_lock, OPT_LOCK_SKIP);
	assert_int_equal(o.file_validation, OPT_FILE_SIZE);
	assert_int_equal(o.enable_fs.n, 3);
	assert_string_equal(o.enable_fs.items[1], "b");
	assert_string_equal(o.enable_fs.items[2], "all");
	assert_true(o.ext_unix_sk);
	assert_int_equal(o.ext_unix_inodes.n, 2);
	assert_int_equal(o.ext_unix_inodes.items[1], 13);
	assert_string_equal(o.irmap_scan_paths.items[0], "/x");
	options_done(&o);

	REFUSED("dump", "-t", "0");
	REFUSED("dump", "-t", "12x");
	REFUSED("dump", "-t", "1", "--ghost-limit", "1T1");
	REFUSED("dump", "-t", "1", "--timeout", "-1");
	REFUSED("dump", "-t", "1", "--irmap-scan-path", "x");
	REFUSED("migrate", "-t", "1", "--post-copy=later", "fd:0");
	REFUSED("migrate", "-t", "1", "--post-copy", "--memory-first", "fd:0");
	REFUSED("dump", "-t", "1", "--network-lock", "maybe");
	REFUSED("page-server", "--port", "0");
	REFUSED("page-server", "--port", "65536");
	REFUSED("restore", "--lsm-profile", "apparmour:x");
	REFUSED("restore", "--empty-ns", "mnt");
	REFUSED("check", "--ms");
	USAGE("dump", "-t", "1", "--manage-cgroups=some");
	USAGE("dump", "-t", "1", "--file-validation=md5");
}

static void test_unix_peer(void **state)
{
	struct options o;

	assert_int_equal(PARSE(&o, "dump", "-t", "1", "--unix-peer", "close", "--unix-peer", "reconnect:@a:b",
			       "--unix-peer=given:12"),
			 OPTIONS_RUN);
	assert_int_equal(o.unix_peers.n, 3);
	assert_int_equal(o.unix_peers.items[0].mode, OPT_PEER_CLOSE);
	assert_null(o.unix_peers.items[0].who);
	assert_int_equal(o.unix_peers.items[1].mode, OPT_PEER_RECONNECT);
	assert_string_equal(o.unix_peers.items[1].who, "@a:b");
	assert_int_equal(o.unix_peers.items[2].mode, OPT_PEER_GIVEN);
	options_done(&o);
	REFUSED("dump", "-t", "1", "--unix-peer", "clos");
	REFUSED("dump", "-t", "1", "--unix-peer", "close:");
	REFUSED("dump", "-t", "1", "--unix-peer", "");
}

static void test_joined(void **state)
{
	struct options o;

	assert_int_equal(PARSE(&o, "dump", "-t", "1"), OPTIONS_RUN);
	assert_int_equal(o.joined, OPT_JOINED_SAVE);
	options_done(&o);
	assert_int_equal(PARSE(&o, "dump", "-t", "1", "--joined", "refuse", "--joined=leave"), OPTIONS_RUN);
	assert_int_equal(o.joined, OPT_JOINED_LEAVE);
	options_done(&o);
	REFUSED("dump", "-t", "1", "--joined", "kill");
	REFUSED("dump", "-t", "1", "--joined", "");
}

static void test_outside(void **state)
{
	struct options o;

	assert_int_equal(PARSE(&o, "dump", "-t", "1", "--external", "mnt[/x]:key", "-M", "/y:other", "--external",
			       "mnt[]:ms", "--veth-pair", "eth0=veth7@br0"),
			 OPTIONS_RUN);
	assert_int_equal(o.external.n, 3);
	assert_string_equal(o.external.items[0], "mnt[/x]:key");
	assert_string_equal(o.external.items[1], "mnt[/y]:other");
	assert_string_equal(o.external.items[2], "veth[eth0]:veth7@br0");
	assert_true(o.external_mounts_auto && o.external_mounts_masters && o.external_mounts_sharing);
	options_done(&o);

	assert_int_equal(PARSE(&o, "restore", "-M", "auto", "--cgroup-root", "/all", "--cgroup-root", "cpu:/one", "-J",
			       "user:/proc/1/ns/user,1000,1001", "-J", "net:42"),
			 OPTIONS_RUN);
	assert_true(o.external_mounts_auto && !o.external_mounts_masters);
	assert_null(o.cgroup_roots.items[0].controller);
	assert_string_equal(o.cgroup_roots.items[1].controller, "cpu");
	assert_string_equal(o.cgroup_roots.items[1].path, "/one");
	assert_string_equal(o.join_ns.items[0].file, "/proc/1/ns/user");
	assert_true(o.join_ns.items[0].has_ids && o.join_ns.items[0].uid == 1000 && o.join_ns.items[0].gid == 1001);
	assert_int_equal(o.join_ns.items[0].pid, 0);
	assert_string_equal(o.join_ns.items[1].file, "/proc/42/ns/net");
	assert_true(o.join_ns.items[1].pid == 42 && !o.join_ns.items[1].has_ids);
	options_done(&o);

	assert_int_equal(PARSE(&o, "dump", "-t", "1", "--external", "console:"), OPTIONS_RUN);
	options_done(&o);
	REFUSED("dump", "-t", "1", "--external", "");
	REFUSED("dump", "-t", "1", "--external", "mnt[]:x");
	REFUSED("restore", "-J", "room:42");
	REFUSED("restore", "-J", "net:42,0,0");
	REFUSED("restore", "-J", "user:42,0");
	REFUSED("restore", "-J", "user:42,0,");
	REFUSED("restore", "-J", "user:42,0,x");
	REFUSED("restore", "-J", "user:42,-1,0");
	REFUSED("restore", "-J", "user:42,4294967295,0");
	REFUSED("restore", "-J", "user:42,0,0,0");
	REFUSED("restore", "-J", "user:0");
	REFUSED("restore", "-J", "net");
	REFUSED("restore", "-J", "net:1", "--empty-ns", "net");
}

static void test_inherit_fd(void **state)
{
	struct options o;
	char word[32], debug[32], back[8] = "";
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	snprintf(word, sizeof(word), "fd[%d]:pipe:[77]", fds[1]);
	snprintf(debug, sizeof(debug), "debug[%d]:hello", fds[1]);
	assert_int_equal(PARSE(&o, "restore", "--inherit-fd", word, "--inherit-fd", debug), OPTIONS_RUN);
	assert_int_equal(o.inherit_fds.n, 1);
	assert_int_equal(o.inherit_fds.items[0].fd, fds[1]);
	assert_string_equal(o.inherit_fds.items[0].key, "pipe:[77]");
	assert_int_equal(read(fds[0], back, sizeof(back)), 5);
	assert_string_equal(back, "hello");
	options_done(&o);

	REFUSED("dump", "-t", "1", "--inherit-fd", word);
	snprintf(word, sizeof(word), "%d", fds[0]);
	assert_int_equal(PARSE(&o, "check", "--close", word), OPTIONS_RUN);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	options_done(&o);
	close(fds[1]);
	REFUSED("restore", "--inherit-fd", "fd[999]:x");
	REFUSED("restore", "--inherit-fd", "fd[1]:");
	REFUSED("restore", "--inherit-fd", "fd1:x");
}

static void test_operands(void **state)
{
	struct options o;

	USAGE("dump", "-t", "1", "extra");
	USAGE("bogus");
	USAGE("cpuinfo");
	USAGE("cpuinfo", "bogus");
	USAGE("dump", "--bogus");
	USAGE("dump", "-t");
	USAGE("dump", "--shell-job=x");
	USAGE("dump", "--no-tree");
	assert_int_equal(CHECKED("swrk"), -EBADRQC);
	assert_int_equal(CHECKED("swrk", "3", "4"), -EBADRQC);

	assert_int_equal(PARSE(&o, "-v4", "swrk", "3"), OPTIONS_RUN);
	assert_int_equal(o.command, CMD_SWRK);
	assert_int_equal(o.worker_fd, 3);
	options_done(&o);
	assert_int_equal(PARSE(&o, "cpuinfo", "check"), OPTIONS_RUN);
	assert_int_equal(o.command, CMD_CPUINFO_CHECK);
	options_done(&o);
	assert_int_equal(PARSE(&o, "dump", "--help"), OPTIONS_HELP);
	options_done(&o);
	assert_int_equal(PARSE(&o, "--bogus", "-h"), OPTIONS_HELP);
	options_done(&o);
	assert_int_equal(PARSE(&o, "-V"), OPTIONS_VERSION);
	options_done(&o);

	assert_int_equal(PARSE(&o, "restore", "--exec-cmd", "--", "ls", "-l", "--help"), OPTIONS_RUN);
	assert_string_equal(o.exec_argv[0], "ls");
	assert_string_equal(o.exec_argv[2], "--help");
	assert_null(o.exec_argv[3]);
	options_done(&o);
	USAGE("restore", "--exec-cmd");
	USAGE("restore", "--exec-cmd", "-d", "--", "ls");
	USAGE("dump", "-t", "1", "--exec-cmd", "--", "ls");
}

static void test_pairs(void **state)
{
	REFUSED("dump");
	REFUSED("pre-dump");
	REFUSED("restore", "-S");
	FINE("restore", "-S", "-d");
	FINE("dump", "-t", "1", "-S"); /* does not fit the command: ignored */
	FINE("restore", "-t", "1");
	REFUSED("dump", "-t", "1", "--mntns-compat-mode");
	REFUSED("pre-dump", "-t", "1", "--lazy-pages");
	REFUSED("page-server", "--ps-socket", "1", "--daemon");
	USAGE("check", "--stream");
	USAGE("cpuinfo", "check", "--stream");
}

/* What options_check() says of words without effect; "" if nothing. */
static const char *warned_of(char **argv)
{
	static char text[65536]; /* what earlier tests have said waits for the log and comes first */
	AUTO_CLOSE int log = memfd_create("log", MFD_CLOEXEC), saved = dup(STDERR_FILENO);
	struct options options;
	ssize_t size;

	assert_true(log >= 0 && saved >= 0 && dup2(log, STDERR_FILENO) >= 0);
	assert_int_equal(log_open(NULL), 0);
	assert_int_equal(parse(&options, argv), 0);
	assert_int_equal(options_check(&options), 0);
	log_flush();
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	options_done(&options);
	size = pread(log, text, sizeof(text) - 1, 0);
	assert_true(size >= 0);
	text[size] = 0;
	return text;
}

#define WARNED(...) warned_of((char *[]){ (char *)"criu", __VA_ARGS__, NULL })

/* A word that the command has no use for is named, if it stands where only this command is meant. */
static void test_no_use(void **state)
{
	const char *text = WARNED("restore", "--track-mem", "-R", "--link-remap", "--shell-job");
	char path[] = "/tmp/criu-options-XXXXXX";
	AUTO_CLOSE int fd = mkstemp(path);

	assert_non_null(strstr(text, "criu restore has no use for --leave-running, --link-remap, --track-mem"));
	assert_null(strstr(text, "shell-job"));
	assert_string_equal(WARNED("restore", "--track-mem", "--no-track-mem"), "");
	assert_string_equal(WARNED("check", "-t", "1", "--link-remap"), "");
	assert_non_null(strstr(WARNED("check", "--link-remap", "--json"), "--json has no effect without --tree"));
	assert_non_null(strstr(WARNED("restore", "-t", "1"), "no use for --tree"));
	assert_non_null(strstr(WARNED("restore", "--mntns-compat-mode"), "--mntns-compat-mode has no effect"));
	assert_non_null(strstr(WARNED("dump", "-t", "1", "--port", "7"), "without --page-server"));
	assert_string_equal(WARNED("dump", "-t", "1", "--port", "7", "--page-server"), "");
	assert_int_equal(dprintf(fd, "track-mem\n"), 10);
	assert_string_equal(WARNED("restore", "--config", path), "");
	unlink(path);
}

#define WAY(program, parent, is_restore, before, after)                                   \
	do {                                                                              \
		char text_[300] = before;                                                 \
		way_out_add(program, parent, is_restore, "/etc/x", text_, sizeof(text_)); \
		assert_string_equal(text_, before after);                                 \
	} while (0)

static void test_way_out(void **state)
{
	char little[20] = "use --file-locks";

	WAY("runc", "podman", false, "with --tcp-established, --tcp-close or --tcp-established",
	    "; with podman: podman container checkpoint --tcp-established, or a line tcp-close in /etc/x");
	WAY("runc", "conmon", true, "(--file-locks)", "; with podman: podman container restore --file-locks");
	WAY("runc", "containerd-shim", false, "'--ghost-limit 8M'; --file-locks",
	    "; with containerd: a line ghost-limit or file-locks in /etc/x");
	WAY("crun", "sh", false, "--shell-job or --ext-unix-sk",
	    "; with crun: crun checkpoint --shell-job or --ext-unix-sk");
	WAY("lxc-checkpoint", "sh", false, "--ghost-limit", "; with LXC: a line ghost-limit in /etc/x");
	WAY("runc", "podman", false, "chrt --other, a--file-locks, --inherit-fd fd[N]", "");
	WAY("bash", "sshd", false, "--file-locks", "");
	way_out_add("runc", "", false, "/etc/x", little, sizeof(little));
	assert_string_equal(little, "use --file-locks; w");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),  cmocka_unit_test(test_way_out),	  cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_forms),  cmocka_unit_test(test_verbosity),  cmocka_unit_test(test_cpu_cap),
		cmocka_unit_test(test_values), cmocka_unit_test(test_outside),	  cmocka_unit_test(test_unix_peer),
		cmocka_unit_test(test_joined), cmocka_unit_test(test_inherit_fd), cmocka_unit_test(test_operands),
		cmocka_unit_test(test_pairs),  cmocka_unit_test(test_no_use),
	};

	setenv("HOME", "/nonexistent", 1);
	unsetenv("CRIU_CONFIG_FILE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
