/* SPDX-License-Identifier: GPL-2.0-only */
/* Sends a request for each setter of libcriu, global and local, to the socket it is given. Prints what integer setters
 * return. */
#include <criu/criu.h>

#include <sched.h>
#include <stdio.h>
#include <string.h>

static void follow(const struct criu_progress *progress)
{
	(void)progress;
}

static int nod(char *action, criu_notify_arg_t na)
{
	return action && na ? 0 : 0;
}

static const char *address;
static criu_opts *opts;
extern const char *criu_lib_version; /* not in the header */

static void begin(void)
{
	criu_init_opts();
	criu_set_service_address(address);
	criu_set_images_dir_fd(7);
	criu_local_init_opts(&opts);
	criu_local_set_service_address(opts, address);
	criu_local_set_images_dir_fd(opts, 7);
}

static void end(const char *name)
{
	if (criu_dump() != 0 || criu_local_dump(opts) != 0)
		printf("%s: failed\n", name);
}

#define VOID(name, ...)                               \
	do {                                          \
		begin();                              \
		criu_##name(__VA_ARGS__);             \
		criu_local_##name(opts, __VA_ARGS__); \
		end(#name);                           \
	} while (0)
#define INT(expected, name, ...)                                                        \
	do {                                                                            \
		int one, two;                                                           \
		begin();                                                                \
		one = criu_##name(__VA_ARGS__);                                         \
		two = criu_local_##name(opts, __VA_ARGS__);                             \
		if (one != (expected) || two != (expected))                             \
			printf("%s: %d and %d, not %d\n", #name, one, two, (expected)); \
		end(#name);                                                             \
	} while (0)
#define LOCAL(name, ...)                                       \
	do {                                                   \
		begin();                                       \
		if (criu_local_##name(opts, __VA_ARGS__) != 0) \
			printf("%s\n", #name);                 \
		end(#name);                                    \
	} while (0)

static void set_switches(void)
{
	VOID(set_pid, 12);
	VOID(set_work_dir_fd, 9);
	INT(0, set_parent_images, "before");
	VOID(set_leave_running, true);
	VOID(set_ext_unix_sk, true);
	INT(0, add_unix_sk, 77);
	VOID(set_tcp_established, true);
	VOID(set_tcp_skip_in_flight, true);
	VOID(set_tcp_close, true);
	VOID(set_weak_sysctls, true);
	VOID(set_evasive_devices, true);
	VOID(set_shell_job, true);
	VOID(set_skip_file_rwx_check, true);
	VOID(set_unprivileged, true);
	VOID(set_orphan_pts_master, true);
	VOID(set_file_locks, true);
	VOID(set_track_mem, true);
	VOID(set_auto_dedup, true);
	VOID(set_force_irmap, true);
	VOID(set_link_remap, true);
	VOID(set_log_level, CRIU_LOG_DEBUG);
	INT(0, set_log_file, "log");
	VOID(set_cpu_cap, 3);
	INT(0, set_root, "/root");
	VOID(set_manage_cgroups, true);
	VOID(set_manage_cgroups_mode, CRIU_CG_MODE_STRICT);
	INT(0, set_freeze_cgroup, "/freezer");
	INT(0, set_lsm_profile, "apparmor:x");
	INT(0, set_lsm_mount_context, "context");
	VOID(set_timeout, 5);
	VOID(set_auto_ext_mnt, true);
	VOID(set_ext_sharing, true);
	VOID(set_ext_masters, true);
}

static void add_more(void)
{
	char *command[] = { (char *)"one", (char *)"two" };

	INT(0, set_exec_cmd, 2, command);
	INT(0, add_ext_mount, "key", "val");
	INT(0, add_veth_pair, "in", "out");
	INT(0, add_cg_root, "cpu", "/a");
	INT(0, add_cg_root, NULL, "/b");
	INT(0, add_enable_fs, "fs");
	INT(0, add_skip_mnt, "/mnt");
	VOID(set_ghost_limit, 4096);
	INT(0, add_irmap_path, "/irmap");
	INT(-1, add_irmap_path, NULL);
	INT(-1, add_inherit_fd, 3, "key");
	INT(0, add_external, "mnt[a]:b");
	INT(-12, set_page_server_address_port, "127.0.0.1", 99);
	INT(0, set_pre_dump_mode, CRIU_PRE_DUMP_READ);
	INT(-1, set_pre_dump_mode, (enum criu_pre_dump_mode)7);
	VOID(set_pidfd_store_sk, 11);
	INT(0, set_network_lock, CRIU_NETWORK_LOCK_SKIP);
	INT(-1, set_network_lock, (enum criu_network_lock_method)9);
	INT(0, join_ns_add, "user", "/file", "1,2");
	INT(0, join_ns_add, "net", "/file", NULL);
	INT(-1, join_ns_add, NULL, "/file", NULL);
	VOID(set_mntns_compat_mode, true);
	INT(0, set_config_file, "/config");
	VOID(set_notify_cb, nod);
	VOID(set_progress_cb, follow);
	VOID(set_empty_ns, CLONE_NEWNET);
}

/* Not in CRIU 4.2. */
static void set_own(void)
{
	INT(0, add_map_path, "/a=/b");
	INT(0, add_tcp_map, ":1=:2");
	INT(0, add_unix_peer, "close:/run/x");
	INT(0, set_joined, "leave");
	VOID(set_stream, 5);
	VOID(set_live, true);
	VOID(set_discard, true);
	VOID(set_equal_pages, true);
	VOID(set_bandwidth, 1 << 20);
	VOID(set_max_rounds, 3);
	VOID(set_round_size, 5ull << 32);
	VOID(set_max_downtime, 7);
	VOID(set_rehearsal, false);
	VOID(set_memory_first, true);
	INT(0, set_post_copy, "auto");
	INT(0, set_remote_criu, "/criu");
	INT(0, set_remote_dir, "/dir");
	VOID(set_on_demand, true);
	VOID(set_tell_timeout, 6);
	VOID(set_new_pidns, true);
	VOID(set_copies, 2);
	VOID(set_copy_net, true);
	INT(0, set_copy_hostname, "host");
	INT(0, set_copy_env, "/env");
	VOID(set_checksum, true);
	INT(0, set_compress, "zstd");
	INT(0, add_encrypt_to, "/certificate");
	INT(0, set_decrypt_with, "/key");
}

static void add_local(void)
{
	LOCAL(add_cg_props, "stream");
	LOCAL(add_cg_props_file, "/props");
	LOCAL(add_cg_dump_controller, "cpu");
	LOCAL(add_cg_yard, "/yard");
}

int main(int argc, char **argv)
{
	struct criu_feature_check features = { .mem_track = true, .pidfd_store = true };

	if (argc != 2)
		return 2;
	address = argv[1];
	set_switches();
	add_more();
	set_own();
	add_local();
	begin();
	printf("check %d %d, features %d %d\n", criu_check(), criu_local_check(opts),
	       criu_feature_check(&features, sizeof(features)), criu_feature_check(&features, sizeof(features) + 1));
	printf("found %d %d %d\n", features.mem_track, features.lazy_pages, features.pidfd_store);
	printf("iters %d\n", criu_dump_iters(NULL));
	printf("version %d, refused %d\n", criu_get_version(), criu_restore());
	printf("library %s\n", strcmp(CRIU_VERSION, criu_lib_version) ? "differs" : "agrees");
	criu_local_free_opts(opts);
	criu_free_opts();
	return 0;
}
