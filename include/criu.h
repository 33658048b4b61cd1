/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libcriu: checkpoint and restore from a program.
 *
 * criu_init_opts() first, then options, then one of the requests. criu_X() works on one hidden set of options,
 * criu_local_X() on the set that it is given. Strings are copied. Not thread-safe. SIGCHLD should be blocked while an
 * own criu runs.
 *
 * Requests return 0 or more; or -EBADE: criu reported a failure, errno says which (see its log); -ECONNREFUSED: no criu
 * could be reached; -ECOMM: the connection broke; -EINVAL: criu does not know the request; -EBADMSG: an answer of
 * another kind; or what the notification callback returned. Linked with -lcriu, see "pkg-config criu".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "version.h"
#include "rpc.pb-c.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CRIU_LOG_UNSET (-1)
#define CRIU_LOG_MSG   (0)
#define CRIU_LOG_ERROR (1)
#define CRIU_LOG_WARN  (2)
#define CRIU_LOG_INFO  (3)
#define CRIU_LOG_DEBUG (4)

enum criu_service_comm { CRIU_COMM_SK, CRIU_COMM_FD, CRIU_COMM_BIN };

enum criu_cg_mode {
	CRIU_CG_MODE_IGNORE,
	CRIU_CG_MODE_NONE,
	CRIU_CG_MODE_PROPS,
	CRIU_CG_MODE_SOFT,
	CRIU_CG_MODE_FULL,
	CRIU_CG_MODE_STRICT,
	CRIU_CG_MODE_DEFAULT,
};

enum criu_network_lock_method {
	CRIU_NETWORK_LOCK_IPTABLES = 1,
	CRIU_NETWORK_LOCK_NFTABLES = 2,
	CRIU_NETWORK_LOCK_SKIP = 3,
};

enum criu_pre_dump_mode { CRIU_PRE_DUMP_SPLICE = 1, CRIU_PRE_DUMP_READ = 2 };

struct criu_feature_check {
	bool mem_track;
	bool lazy_pages;
	bool pidfd_store;
};

typedef struct criu_opts criu_opts;
typedef CriuNotify *criu_notify_arg_t;
typedef void *criu_predump_info;

/* (Re)sets all to the defaults. 0 or -1. *opts is NULL or a set of before, which is freed. */
int criu_init_opts(void);
int criu_local_init_opts(criu_opts **opts);
void criu_free_opts(void);
void criu_local_free_opts(criu_opts *opts);

/* --- Where criu is --- */

/* the service listening at path; NULL: ./criu_service.socket. 0 or -ENOMEM */
int criu_set_service_address(const char *path);
int criu_local_set_service_address(criu_opts *opts, const char *path);

/* this connected socket; closed after use */
void criu_set_service_fd(int fd);
void criu_local_set_service_fd(criu_opts *opts, int fd);

/* an own criu, found by PATH; NULL: "criu". The default. 0 or -ENOMEM */
int criu_set_service_binary(const char *path);
int criu_local_set_service_binary(criu_opts *opts, const char *path);

/* --- Options --- */

/* root of the tree to dump; not called: the caller dumps itself */
void criu_set_pid(int pid);
void criu_local_set_pid(criu_opts *opts, int pid);

/* directory of the images; needed for dump and restore */
void criu_set_images_dir_fd(int fd);
void criu_local_set_images_dir_fd(criu_opts *opts, int fd);

/* images of the dump before, relative to the images. 0 or -ENOMEM, as all that take strings */
int criu_set_parent_images(const char *path);
int criu_local_set_parent_images(criu_opts *opts, const char *path);

/* directory of log and statistics; default: the images directory */
void criu_set_work_dir_fd(int fd);
void criu_local_set_work_dir_fd(criu_opts *opts, int fd);

/* let the tasks run on after a dump */
void criu_set_leave_running(bool leave_running);
void criu_local_set_leave_running(criu_opts *opts, bool leave_running);

/* unix sockets may have a peer outside of the tree */
void criu_set_ext_unix_sk(bool ext_unix_sk);
void criu_local_set_ext_unix_sk(criu_opts *opts, bool ext_unix_sk);

/* this one may; switches the former on, -1 if it was set to false */
int criu_add_unix_sk(unsigned int inode);
int criu_local_add_unix_sk(criu_opts *opts, unsigned int inode);

/* save TCP connections */
void criu_set_tcp_established(bool tcp_established);
void criu_local_set_tcp_established(criu_opts *opts, bool tcp_established);

/* leave half-open ones out */
void criu_set_tcp_skip_in_flight(bool tcp_skip_in_flight);
void criu_local_set_tcp_skip_in_flight(criu_opts *opts, bool tcp_skip_in_flight);

/* restore them closed */
void criu_set_tcp_close(bool tcp_close);
void criu_local_set_tcp_close(criu_opts *opts, bool tcp_close);

/* a sysctl that is missing is no error */
void criu_set_weak_sysctls(bool val);
void criu_local_set_weak_sysctls(criu_opts *opts, bool val);

/* another path of a device will do */
void criu_set_evasive_devices(bool evasive_devices);
void criu_local_set_evasive_devices(criu_opts *opts, bool evasive_devices);

/* session and terminal are somebody else's */
void criu_set_shell_job(bool shell_job);
void criu_local_set_shell_job(criu_opts *opts, bool shell_job);

/* do not compare permission bits of files */
void criu_set_skip_file_rwx_check(bool skip_file_rwx_check);
void criu_local_set_skip_file_rwx_check(criu_opts *opts, bool skip_file_rwx_check);

/* do what is possible without being root */
void criu_set_unprivileged(bool unprivileged);
void criu_local_set_unprivileged(criu_opts *opts, bool unprivileged);

/* ask for masters of terminals by notifications */
void criu_set_orphan_pts_master(bool orphan_pts_master);
void criu_local_set_orphan_pts_master(criu_opts *opts, bool orphan_pts_master);

/* save file locks */
void criu_set_file_locks(bool file_locks);
void criu_local_set_file_locks(criu_opts *opts, bool file_locks);

/* note which memory changes */
void criu_set_track_mem(bool track_mem);
void criu_local_set_track_mem(criu_opts *opts, bool track_mem);

/* free memory in older images */
void criu_set_auto_dedup(bool auto_dedup);
void criu_local_set_auto_dedup(criu_opts *opts, bool auto_dedup);

/* find paths of inotify watches by a scan */
void criu_set_force_irmap(bool force_irmap);
void criu_local_set_force_irmap(criu_opts *opts, bool force_irmap);

/* allow temporary hard links */
void criu_set_link_remap(bool link_remap);
void criu_local_set_link_remap(criu_opts *opts, bool link_remap);

/* CRIU_LOG_* */
void criu_set_log_level(int log_level);
void criu_local_set_log_level(criu_opts *opts, int log_level);

/* name in the work directory, without slashes */
int criu_set_log_file(const char *log_file);
int criu_local_set_log_file(criu_opts *opts, const char *log_file);

/* bits of --cpu-cap */
void criu_set_cpu_cap(unsigned int cap);
void criu_local_set_cpu_cap(criu_opts *opts, unsigned int cap);

/* root of the mount namespace */
int criu_set_root(const char *root);
int criu_local_set_root(criu_opts *opts, const char *root);

/* true: soft, false: ignore */
void criu_set_manage_cgroups(bool manage);
void criu_local_set_manage_cgroups(criu_opts *opts, bool manage);

/* wins over the former */
void criu_set_manage_cgroups_mode(enum criu_cg_mode mode);
void criu_local_set_manage_cgroups_mode(criu_opts *opts, enum criu_cg_mode mode);

/* stop the tasks by this cgroup */
int criu_set_freeze_cgroup(const char *name);
int criu_local_set_freeze_cgroup(criu_opts *opts, const char *name);

/* TYPE:NAME for all tasks */
int criu_set_lsm_profile(const char *name);
int criu_local_set_lsm_profile(criu_opts *opts, const char *name);

/* restore: "OLD=NEW", a path or an address that is another one here (not in CRIU 4.2) */
int criu_add_map_path(const char *map);
int criu_local_add_map_path(criu_opts *opts, const char *map);
int criu_add_tcp_map(const char *map);
int criu_local_add_tcp_map(criu_opts *opts, const char *map);
/* undo: a complete checkpoint, too, is given up (not in CRIU 4.2) */
void criu_set_discard(bool discard);
void criu_local_set_discard(criu_opts *opts, bool discard);

/* "close", "reconnect", "given", each also with ":NAME": what becomes of unix sockets whose peer is outside of the tree
 * (not in CRIU 4.2) */
int criu_add_unix_peer(const char *peer);
int criu_local_add_unix_peer(criu_opts *opts, const char *peer);

/* "save", "leave" or "refuse": processes that came into the pid namespace of the tree from outside, by exec of an
 * engine (not in CRIU 4.2) */
int criu_set_joined(const char *mode);
int criu_local_set_joined(criu_opts *opts, const char *mode);

/* All images through this descriptor (not in CRIU 4.2), which criu inherits: not with a service. -1: not any more. */
void criu_set_stream(int fd);
void criu_local_set_stream(criu_opts *opts, int fd);

/* dump with leave_running: the tasks run on while their memory is copied (not in CRIU 4.2) */
void criu_set_live(bool live);
void criu_local_set_live(criu_opts *opts, bool live);
/* dump, pre-dump: pages that several tasks share copy-on-write are saved once; CRIU cannot read such images (not in
 * CRIU 4.2). */
void criu_set_equal_pages(bool equal_pages);
void criu_local_set_equal_pages(criu_opts *opts, bool equal_pages);

/* restore: the tasks run at once, and their memory follows (not in CRIU 4.2) */
void criu_set_on_demand(bool on_demand);
void criu_local_set_on_demand(criu_opts *opts, bool on_demand);

/* How long programs that want to know (criu-tell.h) may take to answer (not in CRIU 4.2); 0: they are not told */
void criu_set_tell_timeout(unsigned int seconds);
void criu_local_set_tell_timeout(criu_opts *opts, unsigned int seconds);

/* restore: into a pid namespace of its own (not in CRIU 4.2); the pid of the root is told as the caller sees it */
void criu_set_new_pidns(bool new_pidns);
void criu_local_set_new_pidns(criu_opts *opts, bool new_pidns);

/*
 * restore: so many copies that share their memory, each in a pid namespace of its own, and in a network namespace
 * (docs/COPIES.md; not in CRIU 4.2). %k in the name is the number of the copy. What is told is the pid of the root of
 * the first one; a pid file has all.
 */
void criu_set_copies(unsigned int copies);
void criu_local_set_copies(criu_opts *opts, unsigned int copies);
void criu_set_copy_net(bool copy_net);
void criu_local_set_copy_net(criu_opts *opts, bool copy_net);
int criu_set_copy_hostname(const char *name);
int criu_local_set_copy_hostname(criu_opts *opts, const char *name);
int criu_set_copy_env(const char *file);
int criu_local_set_copy_env(criu_opts *opts, const char *file);

/* Checksums beside the images, for criu verify (not in CRIU 4.2) */
void criu_set_checksum(bool checksum);
void criu_local_set_checksum(criu_opts *opts, bool checksum);

/* Compressed images (not in CRIU 4.2): "zstd", "zstd:LEVEL", "lz4", "lz4:LEVEL"; "" is zstd:1. */
int criu_set_compress(const char *how);
int criu_local_set_compress(criu_opts *opts, const char *how);

/* Encrypted images (not in CRIU 4.2): file of an RSA certificate in PEM form, any number of them. */
int criu_add_encrypt_to(const char *certificate);
int criu_local_add_encrypt_to(criu_opts *opts, const char *certificate);

/* restore: file of a private key in PEM form */
int criu_set_decrypt_with(const char *key);
int criu_local_set_decrypt_with(criu_opts *opts, const char *key);

/* replaces context= of mounts */
int criu_set_lsm_mount_context(const char *name);
int criu_local_set_lsm_mount_context(criu_opts *opts, const char *name);

/* seconds for stopping the tasks */
void criu_set_timeout(unsigned int timeout);
void criu_local_set_timeout(criu_opts *opts, unsigned int timeout);

/* find external mounts */
void criu_set_auto_ext_mnt(bool val);
void criu_local_set_auto_ext_mnt(criu_opts *opts, bool val);

/* they may be shared */
void criu_set_ext_sharing(bool val);
void criu_local_set_ext_sharing(criu_opts *opts, bool val);

/* they may be slaves */
void criu_set_ext_masters(bool val);
void criu_local_set_ext_masters(criu_opts *opts, bool val);

/* becomes the parent of the restored tree */
int criu_set_exec_cmd(int argc, char *argv[]);
int criu_local_set_exec_cmd(criu_opts *opts, int argc, char *argv[]);

/* --ext-mount-map KEY:VAL */
int criu_add_ext_mount(const char *key, const char *val);
int criu_local_add_ext_mount(criu_opts *opts, const char *key, const char *val);

/* --veth-pair IN=OUT */
int criu_add_veth_pair(const char *in, const char *out);
int criu_local_add_veth_pair(criu_opts *opts, const char *in, const char *out);

/* ctrl NULL: all controllers */
int criu_add_cg_root(const char *ctrl, const char *path);
int criu_local_add_cg_root(criu_opts *opts, const char *ctrl, const char *path);

/* try this file system */
int criu_add_enable_fs(const char *fs);
int criu_local_add_enable_fs(criu_opts *opts, const char *fs);

/* leave this mount out */
int criu_add_skip_mnt(const char *mnt);
int criu_local_add_skip_mnt(criu_opts *opts, const char *mnt);

/* bytes of a deleted file that are saved */
void criu_set_ghost_limit(unsigned int limit);
void criu_local_set_ghost_limit(criu_opts *opts, unsigned int limit);

/* another path to scan; -1 for NULL */
int criu_add_irmap_path(const char *path);
int criu_local_add_irmap_path(criu_opts *opts, const char *path);

/* a descriptor for a resource; only with a binary, else -1 */
int criu_add_inherit_fd(int fd, const char *key);
int criu_local_add_inherit_fd(criu_opts *opts, int fd, const char *key);

/* --external KEY */
int criu_add_external(const char *key);
int criu_local_add_external(criu_opts *opts, const char *key);

/* is stored; the result is always -ENOMEM, as programs know it */
int criu_set_page_server_address_port(const char *address, int port);
int criu_local_set_page_server_address_port(criu_opts *opts, const char *address, int port);

/* 0, or -1 for another value */
int criu_set_pre_dump_mode(enum criu_pre_dump_mode mode);
int criu_local_set_pre_dump_mode(criu_opts *opts, enum criu_pre_dump_mode mode);

/* socket that keeps pidfds between pre-dumps */
void criu_set_pidfd_store_sk(int sk);
void criu_local_set_pidfd_store_sk(criu_opts *opts, int sk);

/* 0, or -1 for another value */
int criu_set_network_lock(enum criu_network_lock_method method);
int criu_local_set_network_lock(criu_opts *opts, enum criu_network_lock_method method);

/* --join-ns; extra_opt may be NULL. 0 or -1 */
int criu_join_ns_add(const char *ns, const char *ns_file, const char *extra_opt);
int criu_local_join_ns_add(criu_opts *opts, const char *ns, const char *ns_file, const char *extra_opt);

/* mounts as on old kernels */
void criu_set_mntns_compat_mode(bool val);
void criu_local_set_mntns_compat_mode(criu_opts *opts, bool val);

/* its options win over these */
int criu_set_config_file(const char *path);
int criu_local_set_config_file(criu_opts *opts, const char *path);

/* CLONE_NEWNET */
void criu_set_empty_ns(int namespaces);
void criu_local_set_empty_ns(criu_opts *opts, int namespaces);

/* called at the moments of action scripts; not 0 refuses, and is what the request returns */
void criu_set_notify_cb(int (*cb)(char *action, criu_notify_arg_t na));
void criu_local_set_notify_cb(criu_opts *opts, int (*cb)(char *action, criu_notify_arg_t na));

/* How far a dump, pre-dump or restore is (not in CRIU 4.2). */
struct criu_progress {
	const char *what;     /* "dump", "pre-dump", "restore" */
	uint64_t done, total; /* bytes of memory; total is 0 if it is not known, and may change */
	uint64_t rate;	      /* bytes per second, lately; at the end, of all */
	int64_t left;	      /* seconds, -1 if it is not known */
	uint64_t us;	      /* since it began */
	int end;	      /* the last call */
};

/* called about once a second while memory is moved, if that takes longer than a second (not in CRIU 4.2) */
void criu_set_progress_cb(void (*cb)(const struct criu_progress *progress));
void criu_local_set_progress_cb(criu_opts *opts, void (*cb)(const struct criu_progress *progress));

/* dump, pre-dump: at most so many bytes of memory a second, 64 KiB or more (not in CRIU 4.2) */
void criu_set_bandwidth(uint64_t rate);
void criu_local_set_bandwidth(criu_opts *opts, uint64_t rate);

/* migrate, as the options of criu migrate (not in CRIU 4.2); post_copy: "always", "auto", "never" */
void criu_set_max_rounds(unsigned int max_rounds);
void criu_local_set_max_rounds(criu_opts *opts, unsigned int max_rounds);
void criu_set_round_size(uint64_t round_size);
void criu_local_set_round_size(criu_opts *opts, uint64_t round_size);
void criu_set_max_downtime(unsigned int max_downtime);
void criu_local_set_max_downtime(criu_opts *opts, unsigned int max_downtime);
void criu_set_rehearsal(bool rehearsal);
void criu_local_set_rehearsal(criu_opts *opts, bool rehearsal);
void criu_set_memory_first(bool memory_first);
void criu_local_set_memory_first(criu_opts *opts, bool memory_first);
int criu_set_post_copy(const char *post_copy);
int criu_local_set_post_copy(criu_opts *opts, const char *post_copy);
int criu_set_remote_criu(const char *remote_criu);
int criu_local_set_remote_criu(criu_opts *opts, const char *remote_criu);
int criu_set_remote_dir(const char *remote_dir);
int criu_local_set_remote_dir(criu_opts *opts, const char *remote_dir);

/* --- Requests --- */

/* whether the kernel has what is needed; sends no options */
int criu_check(void);
int criu_local_check(criu_opts *opts);

/* 1 in the restored process that dumped itself */
int criu_dump(void);
int criu_local_dump(criu_opts *opts);

/* memory only, the tasks run on */
int criu_pre_dump(void);
int criu_local_pre_dump(criu_opts *opts);

/* the pid of the root task */
int criu_restore(void);
int criu_local_restore(criu_opts *opts);

/* the same; it becomes a child of the caller */
int criu_restore_child(void);
int criu_local_restore_child(criu_opts *opts);

/*
 * Takes back what a dump has left in the tree of set_pid(), or without one what its images name (not in CRIU 4.2).
 * tell, if it is not NULL, gets a sentence for each thing: done, or left to you. Returns how many were taken back.
 */
int criu_undo(void (*tell)(const char *what, bool done, void *arg), void *arg);
int criu_local_undo(criu_opts *opts, void (*tell)(const char *what, bool done, void *arg), void *arg);

/*
 * The tree of set_pid() goes to another machine, as by criu migrate (not in CRIU 4.2). place: ssh://[USER@]HOST[:PORT],
 * tls://HOST:PORT, tcp://HOST:PORT, or fd:N, a descriptor that criu inherits: not with a service. 0: it runs there. 1:
 * it runs on here. 2: it stands still here, and nobody knows whether it runs there. 3: it stands still here, and was
 * killed there. Below 0: it runs on here, and criu has not said anything. ret, which may be NULL, is filled in from 0
 * on. The images directory is where memory lies meanwhile, as far as it must; without one that is /tmp.
 */
struct criu_migration {
	char id[40]; /* what it is called */
	int pid;     /* of the root on the other side; 0: not known */
	unsigned int rounds;
	uint64_t bytes;			  /* of memory, sent */
	uint64_t us, stood_us, paused_us; /* all of it; stood still in the end; and in a round at most */
};
int criu_migrate(const char *place, struct criu_migration *ret);
int criu_local_migrate(criu_opts *opts, const char *place, struct criu_migration *ret);

/* What has become of it, after 2: 0: it runs there. 1: it never will. 2: not known, or it waits for memory. 3: it was
 * killed there. */
int criu_migrate_ask(const char *place, const char *id, struct criu_migration *ret);
int criu_local_migrate_ask(criu_opts *opts, const char *place, const char *id, struct criu_migration *ret);

/* pre-dumps until more() returns 0, then a dump; below 0 it ends with that value */
int criu_dump_iters(int (*more)(criu_predump_info pi));
int criu_local_dump_iters(criu_opts *opts, int (*more)(criu_predump_info pi));

/* MAJOR * 10000 + MINOR * 100 + SUBLEVEL */
int criu_get_version(void);
int criu_local_get_version(criu_opts *opts);

/* 1: new enough, 0: too old */
int criu_check_version(int minimum);
int criu_local_check_version(criu_opts *opts, int minimum);

/* asks for the members that are true, and sets them; -1 if size is too large */
int criu_feature_check(struct criu_feature_check *features, size_t size);
int criu_local_feature_check(criu_opts *opts, struct criu_feature_check *features, size_t size);

/* --- What only has a set of its own --- */

int criu_local_add_cg_props(criu_opts *opts, const char *stream);
int criu_local_add_cg_props_file(criu_opts *opts, const char *path);
int criu_local_add_cg_dump_controller(criu_opts *opts, const char *name);
int criu_local_add_cg_yard(criu_opts *opts, const char *path);

/* --- In the notification callback --- */

/* Pid of the root task, 0 if it is not told. */
int criu_notify_pid(criu_notify_arg_t na);
/* The descriptor that came with the last orphan-pts-master, else -1. */
int criu_get_orphan_pts_master_fd(void);

#ifdef __cplusplus
}
#endif
