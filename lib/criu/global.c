/* SPDX-License-Identifier: LGPL-2.1-only */
/* The functions that work on one hidden set of options. */
#include "lib/criu/internal.h"

static criu_opts *the_opts;

int criu_init_opts(void)
{
	return criu_local_init_opts(&the_opts);
}

void criu_free_opts(void)
{
	criu_local_free_opts(the_opts);
	the_opts = NULL;
}

int criu_set_service_address(const char *path)
{
	return criu_local_set_service_address(the_opts, path);
}

void criu_set_service_fd(int fd)
{
	criu_local_set_service_fd(the_opts, fd);
}

int criu_set_service_binary(const char *path)
{
	return criu_local_set_service_binary(the_opts, path);
}

void criu_set_pid(int pid)
{
	criu_local_set_pid(the_opts, pid);
}

void criu_set_images_dir_fd(int fd)
{
	criu_local_set_images_dir_fd(the_opts, fd);
}

int criu_set_parent_images(const char *path)
{
	return criu_local_set_parent_images(the_opts, path);
}

void criu_set_work_dir_fd(int fd)
{
	criu_local_set_work_dir_fd(the_opts, fd);
}

void criu_set_leave_running(bool leave_running)
{
	criu_local_set_leave_running(the_opts, leave_running);
}

void criu_set_ext_unix_sk(bool ext_unix_sk)
{
	criu_local_set_ext_unix_sk(the_opts, ext_unix_sk);
}

int criu_add_unix_sk(unsigned int inode)
{
	return criu_local_add_unix_sk(the_opts, inode);
}

void criu_set_tcp_established(bool tcp_established)
{
	criu_local_set_tcp_established(the_opts, tcp_established);
}

void criu_set_tcp_skip_in_flight(bool tcp_skip_in_flight)
{
	criu_local_set_tcp_skip_in_flight(the_opts, tcp_skip_in_flight);
}

void criu_set_tcp_close(bool tcp_close)
{
	criu_local_set_tcp_close(the_opts, tcp_close);
}

void criu_set_weak_sysctls(bool val)
{
	criu_local_set_weak_sysctls(the_opts, val);
}

void criu_set_evasive_devices(bool evasive_devices)
{
	criu_local_set_evasive_devices(the_opts, evasive_devices);
}

void criu_set_shell_job(bool shell_job)
{
	criu_local_set_shell_job(the_opts, shell_job);
}

void criu_set_skip_file_rwx_check(bool skip_file_rwx_check)
{
	criu_local_set_skip_file_rwx_check(the_opts, skip_file_rwx_check);
}

void criu_set_unprivileged(bool unprivileged)
{
	criu_local_set_unprivileged(the_opts, unprivileged);
}

void criu_set_orphan_pts_master(bool orphan_pts_master)
{
	criu_local_set_orphan_pts_master(the_opts, orphan_pts_master);
}

void criu_set_file_locks(bool file_locks)
{
	criu_local_set_file_locks(the_opts, file_locks);
}

void criu_set_track_mem(bool track_mem)
{
	criu_local_set_track_mem(the_opts, track_mem);
}

void criu_set_auto_dedup(bool auto_dedup)
{
	criu_local_set_auto_dedup(the_opts, auto_dedup);
}

void criu_set_force_irmap(bool force_irmap)
{
	criu_local_set_force_irmap(the_opts, force_irmap);
}

void criu_set_link_remap(bool link_remap)
{
	criu_local_set_link_remap(the_opts, link_remap);
}

void criu_set_log_level(int log_level)
{
	criu_local_set_log_level(the_opts, log_level);
}

int criu_set_log_file(const char *log_file)
{
	return criu_local_set_log_file(the_opts, log_file);
}

void criu_set_cpu_cap(unsigned int cap)
{
	criu_local_set_cpu_cap(the_opts, cap);
}

int criu_set_root(const char *root)
{
	return criu_local_set_root(the_opts, root);
}

void criu_set_manage_cgroups(bool manage)
{
	criu_local_set_manage_cgroups(the_opts, manage);
}

void criu_set_manage_cgroups_mode(enum criu_cg_mode mode)
{
	criu_local_set_manage_cgroups_mode(the_opts, mode);
}

int criu_set_freeze_cgroup(const char *name)
{
	return criu_local_set_freeze_cgroup(the_opts, name);
}

int criu_add_map_path(const char *map)
{
	return criu_local_add_map_path(the_opts, map);
}

int criu_add_tcp_map(const char *map)
{
	return criu_local_add_tcp_map(the_opts, map);
}

void criu_set_stream(int fd)
{
	criu_local_set_stream(the_opts, fd);
}

void criu_set_live(bool live)
{
	criu_local_set_live(the_opts, live);
}

void criu_set_on_demand(bool on_demand)
{
	criu_local_set_on_demand(the_opts, on_demand);
}

void criu_set_tell_timeout(unsigned int seconds)
{
	criu_local_set_tell_timeout(the_opts, seconds);
}

void criu_set_new_pidns(bool new_pidns)
{
	criu_local_set_new_pidns(the_opts, new_pidns);
}

void criu_set_checksum(bool checksum)
{
	criu_local_set_checksum(the_opts, checksum);
}

int criu_set_compress(const char *how)
{
	return criu_local_set_compress(the_opts, how);
}

int criu_add_encrypt_to(const char *certificate)
{
	return criu_local_add_encrypt_to(the_opts, certificate);
}

int criu_set_decrypt_with(const char *key)
{
	return criu_local_set_decrypt_with(the_opts, key);
}

int criu_set_lsm_profile(const char *name)
{
	return criu_local_set_lsm_profile(the_opts, name);
}

int criu_set_lsm_mount_context(const char *name)
{
	return criu_local_set_lsm_mount_context(the_opts, name);
}

void criu_set_timeout(unsigned int timeout)
{
	criu_local_set_timeout(the_opts, timeout);
}

void criu_set_auto_ext_mnt(bool val)
{
	criu_local_set_auto_ext_mnt(the_opts, val);
}

void criu_set_ext_sharing(bool val)
{
	criu_local_set_ext_sharing(the_opts, val);
}

void criu_set_ext_masters(bool val)
{
	criu_local_set_ext_masters(the_opts, val);
}

int criu_set_exec_cmd(int argc, char *argv[])
{
	return criu_local_set_exec_cmd(the_opts, argc, argv);
}

int criu_add_ext_mount(const char *key, const char *val)
{
	return criu_local_add_ext_mount(the_opts, key, val);
}

int criu_add_veth_pair(const char *in, const char *out)
{
	return criu_local_add_veth_pair(the_opts, in, out);
}

int criu_add_cg_root(const char *ctrl, const char *path)
{
	return criu_local_add_cg_root(the_opts, ctrl, path);
}

int criu_add_enable_fs(const char *fs)
{
	return criu_local_add_enable_fs(the_opts, fs);
}

int criu_add_skip_mnt(const char *mnt)
{
	return criu_local_add_skip_mnt(the_opts, mnt);
}

void criu_set_ghost_limit(unsigned int limit)
{
	criu_local_set_ghost_limit(the_opts, limit);
}

int criu_add_irmap_path(const char *path)
{
	return criu_local_add_irmap_path(the_opts, path);
}

int criu_add_inherit_fd(int fd, const char *key)
{
	return criu_local_add_inherit_fd(the_opts, fd, key);
}

int criu_add_external(const char *key)
{
	return criu_local_add_external(the_opts, key);
}

int criu_set_page_server_address_port(const char *address, int port)
{
	return criu_local_set_page_server_address_port(the_opts, address, port);
}

int criu_set_pre_dump_mode(enum criu_pre_dump_mode mode)
{
	return criu_local_set_pre_dump_mode(the_opts, mode);
}

void criu_set_pidfd_store_sk(int sk)
{
	criu_local_set_pidfd_store_sk(the_opts, sk);
}

int criu_set_network_lock(enum criu_network_lock_method method)
{
	return criu_local_set_network_lock(the_opts, method);
}

int criu_join_ns_add(const char *ns, const char *ns_file, const char *extra_opt)
{
	return criu_local_join_ns_add(the_opts, ns, ns_file, extra_opt);
}

void criu_set_mntns_compat_mode(bool val)
{
	criu_local_set_mntns_compat_mode(the_opts, val);
}

int criu_set_config_file(const char *path)
{
	return criu_local_set_config_file(the_opts, path);
}

void criu_set_empty_ns(int namespaces)
{
	criu_local_set_empty_ns(the_opts, namespaces);
}

void criu_set_notify_cb(int (*cb)(char *action, criu_notify_arg_t na))
{
	criu_local_set_notify_cb(the_opts, cb);
}

int criu_check(void)
{
	return criu_local_check(the_opts);
}

int criu_dump(void)
{
	return criu_local_dump(the_opts);
}

int criu_pre_dump(void)
{
	return criu_local_pre_dump(the_opts);
}

int criu_restore(void)
{
	return criu_local_restore(the_opts);
}

int criu_restore_child(void)
{
	return criu_local_restore_child(the_opts);
}

int criu_dump_iters(int (*more)(criu_predump_info pi))
{
	return criu_local_dump_iters(the_opts, more);
}

int criu_get_version(void)
{
	return criu_local_get_version(the_opts);
}

int criu_check_version(int minimum)
{
	return criu_local_check_version(the_opts, minimum);
}

int criu_feature_check(struct criu_feature_check *features, size_t size)
{
	return criu_local_feature_check(the_opts, features, size);
}
