/* SPDX-License-Identifier: GPL-2.0-only */
/* What the user asked for: one struct, filled from options.def by the command line, config files or a request. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct pool;

/* The commands, as bits so that a row of options.def can name several. */
enum command {
	CMD_DUMP = 1 << 0,
	CMD_PRE_DUMP = 1 << 1,
	CMD_RESTORE = 1 << 2,
	CMD_LAZY_PAGES = 1 << 3,
	CMD_CHECK = 1 << 4,
	CMD_PAGE_SERVER = 1 << 5,
	CMD_SERVICE = 1 << 6,
	CMD_SWRK = 1 << 7,
	CMD_DEDUP = 1 << 8,
	CMD_CPUINFO_DUMP = 1 << 9,
	CMD_CPUINFO_CHECK = 1 << 10,
	CMD_VERIFY = 1 << 11,
	CMD_EXEC = 1 << 12, /* deprecated */
	CMD_SHOW = 1 << 13, /* deprecated */
	CMD_CPUINFO = CMD_CPUINFO_DUMP | CMD_CPUINFO_CHECK,
	CMD_RECEIVE = 1 << 14,
	CMD_UNDO = 1 << 15,
	CMD_INSPECT = 1 << 16,
	CMD_MIGRATE = 1 << 17,
	CMD_ALL = ((1 << 12) - 1) | CMD_RECEIVE | CMD_UNDO | CMD_INSPECT | CMD_MIGRATE,
};

/* What becomes of the tasks at the end; OPT_END_DEFAULT is replaced by the default of the command in options_check().
 */
enum opt_end {
	OPT_END_DEFAULT,
	OPT_END_KILL,
	OPT_END_RUN,
	OPT_END_STOP,
};

/* Bits of --cpu-cap. */
enum opt_cpu_cap {
	OPT_CPU_FPU = 1,
	OPT_CPU_CPU = 2,
	OPT_CPU_INS = 4,
	OPT_CPU_IMAGE = 8, /* write (dump) and check (restore) cpuinfo.img */
	OPT_CPU_ALL = OPT_CPU_FPU | OPT_CPU_CPU | OPT_CPU_INS,
	OPT_CPU_DEFAULT = OPT_CPU_FPU | OPT_CPU_INS,
};

enum opt_network_lock {
	OPT_LOCK_IPTABLES,
	OPT_LOCK_NFTABLES,
	OPT_LOCK_SKIP,
};

/* --post-copy: memory follows when the tasks run on the other side. */
enum opt_post_copy {
	OPT_POST_COPY_NEVER,
	OPT_POST_COPY_AUTO, /* if the rounds do not come to --round-size */
	OPT_POST_COPY_ALWAYS,
};

/* --manage-cgroups: what a restore does to cgroups. */
enum opt_cgroups {
	OPT_CGROUPS_IGNORE,
	OPT_CGROUPS_NONE,
	OPT_CGROUPS_PROPS,
	OPT_CGROUPS_SOFT,
	OPT_CGROUPS_FULL,
	OPT_CGROUPS_STRICT,
};

enum opt_file_validation {
	OPT_FILE_SIZE,
	OPT_FILE_BUILD_ID, /* and size */
};

enum opt_pre_dump_mode {
	OPT_PRE_DUMP_SPLICE,
	OPT_PRE_DUMP_READ,
};

/* Instead of a descriptor: another process, which listens; stdin or stdout. */
enum opt_stream { OPT_STREAM_STREAMER = -1, OPT_STREAM_STANDARD = -2 };

enum opt_compression {
	OPT_COMPRESS_NONE,
	OPT_COMPRESS_ZSTD,
	OPT_COMPRESS_LZ4,
};

struct opt_list {
	const char **items;
	size_t n, capacity;
};

/* --inherit-fd fd[N]:KEY */
struct opt_inherit_fd {
	int fd;
	const char *key;
};

/* --joined: what becomes of processes that came into a pid namespace of the tree from outside. */
enum opt_joined {
	OPT_JOINED_SAVE,
	OPT_JOINED_LEAVE,
	OPT_JOINED_REFUSE,
};

/* --unix-peer MODE[:WHO]; the numbers are those of unix_outside.how */
enum opt_unix_peer_mode {
	OPT_PEER_REFUSE,
	OPT_PEER_RECONNECT,
	OPT_PEER_CLOSE,
	OPT_PEER_GIVEN,
};

struct opt_unix_peer {
	enum opt_unix_peer_mode mode;
	const char *who; /* a pattern for the name, or an inode number; NULL: all */
};

struct opt_unix_peers {
	struct opt_unix_peer *items;
	size_t n, capacity;
};

/* --join-ns KIND:FILE[,UID,GID]; a pid was turned into its /proc path. */
struct opt_join_ns {
	uint32_t flag; /* CLONE_NEW* */
	const char *file;
	int pid;      /* 0: it was a path */
	bool has_ids; /* only for user */
	uint32_t uid, gid;
};

/* --cgroup-root [CTRL:]PATH */
struct opt_cgroup_root {
	const char *controller; /* NULL = all others */
	const char *path;
};

/* --map-path OLD=NEW: both without a slash at the end */
struct opt_pair {
	const char *from, *to;
};

struct opt_pairs {
	struct opt_pair *items;
	size_t n, capacity;
};

/* --tcp-map [ADDRESS][:PORT]=[ADDRESS][:PORT] */
struct opt_address {
	int family;	   /* AF_UNSPEC: any */
	uint32_t words[4]; /* one for IPv4; network order */
	uint16_t port;	   /* 0: any */
};

struct opt_address_pair {
	struct opt_address from, to; /* of the same family, or one of them of any */
};

struct opt_address_pairs {
	struct opt_address_pair *items;
	size_t n, capacity;
};

struct opt_inherit_fds {
	struct opt_inherit_fd *items;
	size_t n, capacity;
};

struct opt_join_nss {
	struct opt_join_ns *items;
	size_t n, capacity;
};

struct opt_cgroup_roots {
	struct opt_cgroup_root *items;
	size_t n, capacity;
};

struct opt_inodes {
	uint32_t *items;
	size_t n, capacity;
};

/* Where an option comes from: config files, and what several commands are given, have words that not each has use for.
 */
enum opt_given { OPT_NOT_GIVEN, OPT_GIVEN_FOR_ALL, OPT_GIVEN };

/* Constant after options_check(). Strings live as long as the struct. NULL strings and -1 descriptors mean "not given".
 */
struct options {
	enum command command;
	int images_dir_fd; /* opened by main after parsing, CLOEXEC */
	int worker_fd;	   /* the operand of swrk */
	int argc;	   /* what options_parse() was given: a worker begins with it for each request */
	char **argv;

	/* general */
	pid_t pid;	       /* --tree, 0 = not given */
	bool restore_detached; /* for page-server, service, lazy-pages: daemon */
	bool restore_sibling;
	bool new_pidns;
	uint32_t copies; /* 0 = one, as ever */
	bool copy_net;
	const char *copy_hostname, *copy_env;
	enum opt_end end;
	const char *images_dir;	     /* never NULL */
	const char *work_dir;	     /* NULL = the images directory */
	const char *prev_images_dir; /* relative to the images directory */
	const char *pidfile;
	uint32_t cpu_cap; /* enum opt_cpu_cap */
	bool cpu_cap_given;
	bool exec_cmd;
	char **exec_argv; /* NULL-terminated, only with exec_cmd */
	const char *freeze_cgroup;
	bool weak_sysctls;
	bool lazy_pages;
	bool on_demand;
	bool live;
	bool equal_pages;
	bool progress, tell_progress; /* on a terminal; to the client of a request */
	uint64_t bandwidth;	      /* bytes a second, 0: as many as can be */
	bool stream;
	int stream_fd; /* a descriptor or enum opt_stream */
	bool mntns_compat_mode;
	enum opt_network_lock network_lock;
	bool unprivileged;
	bool allow_uprobes;
	uint32_t timeout;      /* seconds, 0 = none */
	uint32_t tell_timeout; /* seconds, 0 = nobody is told */
	bool deprecated;

	/* outside resources */
	struct opt_list external; /* also holds what -M and --veth-pair gave; "mnt[]" became the next three */
	bool external_mounts_auto, external_mounts_sharing, external_mounts_masters;
	bool ext_unix_sk;
	struct opt_inodes ext_unix_inodes; /* stream sockets that may be external */
	struct opt_unix_peers unix_peers;
	enum opt_joined joined;
	struct opt_inherit_fds inherit_fds;
	struct opt_pairs map_paths;
	struct opt_address_pairs tcp_maps;
	struct opt_join_nss join_ns;
	unsigned empty_ns; /* CLONE_NEWNET or 0 */
	const char *root;
	struct opt_list skip_mounts;
	struct opt_list enable_fs; /* "all" is an item like another */

	/* resources */
	bool tcp_established, skip_in_flight, tcp_close;
	bool evasive_devices;
	bool link_remap;
	uint64_t ghost_limit; /* bytes */
	bool ghost_fiemap;
	struct opt_list action_scripts;
	bool shell_job;
	bool file_locks;
	const char *libdir;
	bool force_irmap;
	struct opt_list irmap_scan_paths;
	enum opt_cgroups manage_cgroups;
	struct opt_cgroup_roots cgroup_roots;
	const char *cgroup_props, *cgroup_props_file, *cgroup_yard;
	struct opt_list cgroup_dump_controllers;
	const char *lsm_profile, *lsm_mount_context;
	bool strict_rlimits;
	enum opt_file_validation file_validation;
	bool skip_file_rwx_check;

	/* check, log, memory */
	bool check_extra, check_experimental;
	const char *check_feature;
	bool json;	      /* check --tree, verify, undo: the report for programs */
	bool discard;	      /* undo: a complete checkpoint, too, is given up */
	const char *log_file; /* NULL = stderr, "-" = stdout */
	bool log_pid;
	int verbosity;
	bool display_stats;
	bool track_mem;
	bool use_page_server;
	bool auto_dedup;
	enum opt_pre_dump_mode pre_dump_mode;

	/* migrate */
	const char *destination; /* the operand */
	const char *listen;	 /* where to wait for programs; NULL: this side has one */
	const char *ask;	 /* what a migration is called of which the outcome is not known */
	uint32_t max_rounds;
	uint64_t round_size;   /* bytes */
	uint32_t max_downtime; /* seconds, 0 = no limit */
	bool rehearsal, memory_first, dry_run;
	enum opt_post_copy post_copy;
	int post_copy_fd; /* restore: a page server that has what is not in the images; -1: none. No option */
	const char *remote_criu, *remote_dir; /* with ssh; NULL: found there by the shell; the default there */
	bool no_content;		      /* dump: all but memory. No option, as the next ones */
	bool keep_tracker;     /* pre-dump: the tracker of the parent images goes on. Nobody else makes images on top of
				  them, so that what they say of it is true once */
	uint32_t stream_grace; /* seconds that nobody takes more of a stream; 0: the usual */

	/* images */
	enum opt_compression compression;
	int compression_level;
	bool checksum;
	struct opt_list encrypt_to; /* files of certificates */
	const char *decrypt_with;   /* file of a private key; NULL: none */

	/* page server, service, TLS */
	const char *address;
	uint16_t port; /* 0 = chosen by the kernel */
	int page_server_fd, status_fd;
	bool tls, tls_no_cn_verify;
	const char *tls_cacert, *tls_cacrl, *tls_cert, *tls_key;

	/* only by a request */
	bool notify_scripts, orphan_pts_master;
	const char *config_file; /* also --config */
	bool no_default_config;

	/* private to src/options */
	struct pool *pool;
	uint8_t given[160];    /* enum opt_given, by row of options.def; 0 again when it was switched off */
	struct opt_list words; /* what restores have use for, as it was given: "--name=value" */
};

/* What options_parse() asks its caller to do. */
enum options_result {
	OPTIONS_RUN,	 /* run options->command */
	OPTIONS_HELP,	 /* print options_print_help() on stdout, exit 0 */
	OPTIONS_VERSION, /* print the version on stdout, exit 0 */
};

/* Was there a word with this name (and no --no- form of it behind)? */
bool options_are_given(const struct options *options, const char *name);
/* What was given so far is for several commands: options_check() says nothing of what this one has no use for. */
void options_are_for_all(struct options *options);
void options_init(struct options *options); /* defaults */
void options_done(struct options *options);

/*
 * Reads the config files (in the order of criu(8), CONFIGURATION FILES) and the command line. Returns enum
 * options_result, or -errno after the reason was logged or, by getopt, written to stderr: -EINVAL when the short usage
 * text shall follow, another one when not.
 */
int options_parse(struct options *options, int argc, char **argv);

/* "dump", "cpuinfo check", ... */
const char *options_command_name(enum command command);

/* Applies one word such as "--timeout=5", as if it came from a command line. Everything wrong is said by refuse(). */
int options_apply_word(struct options *options, char *word);
