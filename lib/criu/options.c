/* SPDX-License-Identifier: LGPL-2.1-only */
/* Options: fields of the message that is sent. */
#include "lib/criu/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *criu_lib_version = CRIU_VERSION;

static int set_string(char **field, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

/* Room for one more pointer in a list. */
static void *grow_list(void *list, size_t n)
{
	return realloc(list, (n + 1) * sizeof(void *));
}

static int add_string(char ***list, size_t *n, const char *value)
{
	char **longer = grow_list(*list, *n), *copy = value ? strdup(value) : NULL;

	if (longer)
		*list = longer;
	if (!longer || !copy) {
		free(copy);
		return -ENOMEM;
	}
	longer[(*n)++] = copy;
	return 0;
}

/* A new message at the end of a list, with two strings that stand at first and second. */
#define ADD_PAIR(list, count, type, init, first, second, a, b)                                              \
	do {                                                                                                \
		type *new_ = malloc(sizeof(*new_)), **longer_ = grow_list((list), (count));                 \
		if (longer_)                                                                                \
			(list) = longer_;                                                                   \
		if (new_)                                                                                   \
			init(new_);                                                                         \
		if (!new_ || !longer_ || set_string(&new_->first, (a)) || set_string(&new_->second, (b))) { \
			if (new_)                                                                           \
				free(new_->first);                                                          \
			free(new_);                                                                         \
			return -ENOMEM;                                                                     \
		}                                                                                           \
		(list)[(count)++] = new_;                                                                   \
		return 0;                                                                                   \
	} while (0)

void criu_free_service(criu_opts *opts)
{
	free(opts->path);
	opts->path = NULL;
}

void criu_local_free_opts(criu_opts *opts)
{
	if (!opts)
		return;
	if (opts->rpc)
		criu_opts__free_unpacked(opts->rpc, NULL);
	criu_free_service(opts);
	free(opts);
}

int criu_local_init_opts(criu_opts **ret)
{
	criu_opts *opts = calloc(1, sizeof(*opts));

	criu_local_free_opts(*ret);
	*ret = NULL;
	if (!opts)
		return -1;
	opts->rpc = malloc(sizeof(*opts->rpc));
	opts->comm = CRIU_COMM_BIN;
	opts->path = strdup("criu");
	opts->fd = -1;
	if (!opts->rpc || !opts->path) {
		free(opts->rpc);
		opts->rpc = NULL;
		criu_local_free_opts(opts);
		return -1;
	}
	criu_opts__init(opts->rpc);
	*ret = opts;
	return 0;
}

static int set_service(criu_opts *opts, enum criu_service_comm comm, const char *path)
{
	int error = set_string(&opts->path, path);

	if (error == 0)
		opts->comm = comm;
	return error;
}

int criu_local_set_service_address(criu_opts *opts, const char *path)
{
	return set_service(opts, CRIU_COMM_SK, path ? path : "./criu_service.socket");
}

int criu_local_set_service_binary(criu_opts *opts, const char *path)
{
	return set_service(opts, CRIU_COMM_BIN, path ? path : "criu");
}

void criu_local_set_service_fd(criu_opts *opts, int fd)
{
	opts->comm = CRIU_COMM_FD;
	opts->fd = fd;
}

void criu_local_set_notify_cb(criu_opts *opts, int (*cb)(char *action, criu_notify_arg_t na))
{
	opts->notify = cb;
	opts->rpc->has_notify_scripts = opts->rpc->notify_scripts = true;
}

void criu_local_set_progress_cb(criu_opts *opts, void (*cb)(const struct criu_progress *progress))
{
	opts->progress = cb;
	opts->rpc->has_tell_progress = opts->rpc->tell_progress = cb != NULL;
}

#define SET_VALUE(name, type, field)                            \
	void criu_local_set_##name(criu_opts *opts, type value) \
	{                                                       \
		opts->rpc->has_##field = true;                  \
		opts->rpc->field = value;                       \
	}
#define SET_BOOL(name) SET_VALUE(name, bool, name)
#define SET_STRING(name, field)                                   \
	int criu_local_##name(criu_opts *opts, const char *value) \
	{                                                         \
		return set_string(&opts->rpc->field, value);      \
	}
#define ADD_STRING(name, field)                                                     \
	int criu_local_add_##name(criu_opts *opts, const char *value)               \
	{                                                                           \
		return add_string(&opts->rpc->field, &opts->rpc->n_##field, value); \
	}

SET_VALUE(pid, int, pid)
SET_VALUE(work_dir_fd, int, work_dir_fd)
SET_VALUE(log_level, int, log_level)
SET_VALUE(cpu_cap, unsigned int, cpu_cap)
SET_VALUE(timeout, unsigned int, timeout)
SET_VALUE(ghost_limit, unsigned int, ghost_limit)
SET_VALUE(copies, unsigned int, copies)
SET_VALUE(tell_timeout, unsigned int, tell_timeout)
SET_VALUE(pidfd_store_sk, int, pidfd_store_sk)
SET_VALUE(empty_ns, int, empty_ns)
SET_BOOL(leave_running)
SET_BOOL(ext_unix_sk)
SET_BOOL(tcp_established)
SET_BOOL(tcp_skip_in_flight)
SET_BOOL(tcp_close)
SET_BOOL(weak_sysctls)
SET_BOOL(evasive_devices)
SET_BOOL(shell_job)
SET_BOOL(skip_file_rwx_check)
SET_BOOL(unprivileged)
SET_BOOL(orphan_pts_master)
SET_BOOL(file_locks)
SET_BOOL(track_mem)
SET_BOOL(auto_dedup)
SET_BOOL(force_irmap)
SET_BOOL(link_remap)
SET_BOOL(manage_cgroups)
SET_BOOL(auto_ext_mnt)
SET_BOOL(ext_sharing)
SET_BOOL(ext_masters)
SET_BOOL(mntns_compat_mode)
SET_STRING(set_parent_images, parent_img)
SET_STRING(set_log_file, log_file)
SET_STRING(set_root, root)
SET_STRING(set_freeze_cgroup, freeze_cgroup)
SET_STRING(set_lsm_profile, lsm_profile)
SET_STRING(set_lsm_mount_context, lsm_mount_context)
SET_STRING(set_config_file, config_file)
SET_STRING(add_cg_props, cgroup_props)
SET_STRING(add_cg_props_file, cgroup_props_file)
SET_STRING(add_cg_yard, cgroup_yard)
ADD_STRING(cg_dump_controller, cgroup_dump_controller)
ADD_STRING(enable_fs, enable_fs)
ADD_STRING(skip_mnt, skip_mnt)
ADD_STRING(external, external)
ADD_STRING(map_path, map_path)
ADD_STRING(tcp_map, tcp_map)
ADD_STRING(unix_peer, unix_peer)
SET_STRING(set_joined, joined)
SET_BOOL(checksum)
SET_BOOL(on_demand)
SET_BOOL(new_pidns)
SET_BOOL(copy_net)
SET_STRING(set_copy_hostname, copy_hostname)
SET_STRING(set_copy_env, copy_env)
SET_BOOL(live)
SET_BOOL(discard)
SET_BOOL(equal_pages)
SET_VALUE(bandwidth, uint64_t, bandwidth)
SET_VALUE(max_rounds, unsigned int, max_rounds)
SET_VALUE(round_size, uint64_t, round_size)
SET_VALUE(max_downtime, unsigned int, max_downtime)
SET_BOOL(rehearsal)
SET_BOOL(memory_first)
SET_STRING(set_post_copy, post_copy)
SET_STRING(set_remote_criu, remote_criu)
SET_STRING(set_remote_dir, remote_dir)
SET_STRING(set_compress, compress)
ADD_STRING(encrypt_to, encrypt_to)
SET_STRING(set_decrypt_with, decrypt_with)

void criu_local_set_stream(criu_opts *opts, int fd)
{
	opts->rpc->has_stream = fd >= 0;
	opts->rpc->stream = fd;
}

void criu_local_set_images_dir_fd(criu_opts *opts, int fd)
{
	opts->rpc->images_dir_fd = fd;
}

void criu_local_set_manage_cgroups_mode(criu_opts *opts, enum criu_cg_mode mode)
{
	opts->rpc->has_manage_cgroups_mode = true;
	opts->rpc->manage_cgroups_mode = (CriuCgMode)mode;
}

int criu_local_set_pre_dump_mode(criu_opts *opts, enum criu_pre_dump_mode mode)
{
	if (mode != CRIU_PRE_DUMP_SPLICE && mode != CRIU_PRE_DUMP_READ)
		return -1;
	opts->rpc->has_pre_dump_mode = true;
	opts->rpc->pre_dump_mode = (CriuPreDumpMode)mode;
	return 0;
}

int criu_local_set_network_lock(criu_opts *opts, enum criu_network_lock_method method)
{
	if (method < CRIU_NETWORK_LOCK_IPTABLES || method > CRIU_NETWORK_LOCK_SKIP)
		return -1;
	opts->rpc->has_network_lock = true;
	opts->rpc->network_lock = (CriuNetworkLockMethod)method;
	return 0;
}

int criu_local_add_irmap_path(criu_opts *opts, const char *path)
{
	return path ? add_string(&opts->rpc->irmap_scan_paths, &opts->rpc->n_irmap_scan_paths, path) : -1;
}

int criu_local_set_exec_cmd(criu_opts *opts, int argc, char *argv[])
{
	for (size_t i = 0; i < opts->rpc->n_exec_cmd; i++)
		free(opts->rpc->exec_cmd[i]);
	opts->rpc->n_exec_cmd = 0;
	for (int i = 0; i < argc; i++)
		if (add_string(&opts->rpc->exec_cmd, &opts->rpc->n_exec_cmd, argv[i]))
			return -ENOMEM;
	return 0;
}

int criu_local_add_ext_mount(criu_opts *opts, const char *key, const char *val)
{
	ADD_PAIR(opts->rpc->ext_mnt, opts->rpc->n_ext_mnt, ExtMountMap, ext_mount_map__init, key, val, key, val);
}

int criu_local_add_veth_pair(criu_opts *opts, const char *in, const char *out)
{
	ADD_PAIR(opts->rpc->veths, opts->rpc->n_veths, CriuVethPair, criu_veth_pair__init, if_in, if_out, in, out);
}

int criu_local_add_cg_root(criu_opts *opts, const char *ctrl, const char *path)
{
	ADD_PAIR(opts->rpc->cg_root, opts->rpc->n_cg_root, CgroupRoot, cgroup_root__init, ctrl, path, ctrl, path);
}

static int add_join_ns(criu_opts *opts, const char *ns, const char *ns_file)
{
	ADD_PAIR(opts->rpc->join_ns, opts->rpc->n_join_ns, JoinNamespace, join_namespace__init, ns, ns_file, ns,
		 ns_file);
}

int criu_local_join_ns_add(criu_opts *opts, const char *ns, const char *ns_file, const char *extra_opt)
{
	if (!ns || !ns_file || add_join_ns(opts, ns, ns_file))
		return -1;
	return set_string(&opts->rpc->join_ns[opts->rpc->n_join_ns - 1]->extra_opt, extra_opt) ? -1 : 0;
}

int criu_local_add_unix_sk(criu_opts *opts, unsigned int inode)
{
	UnixSk *one, **longer;

	if (opts->rpc->has_ext_unix_sk && !opts->rpc->ext_unix_sk)
		return -1;
	one = malloc(sizeof(*one));
	longer = grow_list(opts->rpc->unix_sk_ino, opts->rpc->n_unix_sk_ino);
	if (longer)
		opts->rpc->unix_sk_ino = longer;
	if (!one || !longer) {
		free(one);
		return -ENOMEM;
	}
	unix_sk__init(one);
	one->inode = inode;
	longer[opts->rpc->n_unix_sk_ino++] = one;
	opts->rpc->has_ext_unix_sk = opts->rpc->ext_unix_sk = true;
	return 0;
}

int criu_local_add_inherit_fd(criu_opts *opts, int fd, const char *key)
{
	InheritFd *one, **longer;
	char *copy;

	if (opts->comm != CRIU_COMM_BIN)
		return -1;
	one = malloc(sizeof(*one));
	copy = key ? strdup(key) : NULL;
	longer = grow_list(opts->rpc->inherit_fd, opts->rpc->n_inherit_fd);
	if (longer)
		opts->rpc->inherit_fd = longer;
	if (!one || !copy || !longer) {
		free(one);
		free(copy);
		return -ENOMEM;
	}
	inherit_fd__init(one);
	one->key = copy;
	one->fd = fd;
	longer[opts->rpc->n_inherit_fd++] = one;
	return 0;
}

/* Programs know that the result is no success. */
int criu_local_set_page_server_address_port(criu_opts *opts, const char *address, int port)
{
	if (!opts->rpc->ps) {
		opts->rpc->ps = malloc(sizeof(*opts->rpc->ps));
		if (!opts->rpc->ps)
			return -ENOMEM;
		criu_page_server_info__init(opts->rpc->ps);
	}
	(void)set_string(&opts->rpc->ps->address, address);
	opts->rpc->ps->has_port = true;
	opts->rpc->ps->port = port;
	return -ENOMEM;
}
