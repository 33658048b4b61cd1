/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Plugins: shared libraries that save and restore what criu itself does not know, such as devices. Names, numbers and
 * layouts are those of CRIU 4.2 and of what follows it. A plugin registers itself and its hooks at the end of its
 * source:
 *
 *	CR_PLUGIN_REGISTER("mine", my_init, my_exit)
 *	CR_PLUGIN_REGISTER_HOOK(CR_PLUGIN_HOOK__DUMP_EXT_FILE, my_dump)
 *
 * Every hook may return -EOPNOTSUPP: "not mine"; then the next plugin is asked. All hooks run in the process criu.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CRIU_PLUGIN_GEN_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define CRIU_PLUGIN_VERSION		 CRIU_PLUGIN_GEN_VERSION(0, 2, 0)
#define CRIU_PLUGIN_VERSION_OLD		 CRIU_PLUGIN_GEN_VERSION(0, 1, 0) /* of libraries without a descriptor */

/* For which operation a plugin is loaded: the argument of init and exit. */
enum {
	CR_PLUGIN_STAGE__DUMP,
	CR_PLUGIN_STAGE__PRE_DUMP,
	CR_PLUGIN_STAGE__RESTORE,

	CR_PLUGIN_STAGE_MAX
};

enum {
	CR_PLUGIN_HOOK__DUMP_UNIX_SK,
	CR_PLUGIN_HOOK__RESTORE_UNIX_SK,
	CR_PLUGIN_HOOK__DUMP_EXT_FILE,
	CR_PLUGIN_HOOK__RESTORE_EXT_FILE,
	CR_PLUGIN_HOOK__DUMP_EXT_MOUNT,
	CR_PLUGIN_HOOK__RESTORE_EXT_MOUNT,
	CR_PLUGIN_HOOK__DUMP_EXT_LINK,
	CR_PLUGIN_HOOK__HANDLE_DEVICE_VMA,
	CR_PLUGIN_HOOK__UPDATE_VMA_MAP,
	CR_PLUGIN_HOOK__RESUME_DEVICES_LATE,
	CR_PLUGIN_HOOK__PAUSE_DEVICES,
	CR_PLUGIN_HOOK__CHECKPOINT_DEVICES,
	CR_PLUGIN_HOOK__POST_FORKING,
#ifndef CRIU_PLUGIN_FOR_4_2 /* defined before: a plugin that CRIU 4.2 loads as well */
	CR_PLUGIN_HOOK__RESTORE_INIT,
	CR_PLUGIN_HOOK__DUMP_DEVICES_LATE,
#endif

	CR_PLUGIN_HOOK__MAX
};

/* Dump: the peer of a unix socket is outside of the tree. fd = the socket of the dumped side, id = its inode. 0: it is
 * restored by the plugin. */
typedef int CR_PLUGIN_HOOK__DUMP_UNIX_SK_t(int fd, int id);
/* Restore of such a socket: returns it, connected; negative: it is restored in the ordinary way. */
typedef int CR_PLUGIN_HOOK__RESTORE_UNIX_SK_t(int id);
/* Dump of a descriptor that criu does not know. fd = a copy of it, id = the number of the file in the images. 0: saved.
 */
typedef int CR_PLUGIN_HOOK__DUMP_EXT_FILE_t(int fd, int id);
/*
 * Restore of such a file: returns a descriptor, which becomes criu's. With *retry_needed, which is false before each
 * call, nothing is returned: it is asked for again when others have been made. A function without this argument, as of
 * CRIU 4.2, does as well.
 */
typedef int CR_PLUGIN_HOOK__RESTORE_EXT_FILE_t(int id, bool *retry_needed);
/* Dump of a mount whose root is unknown. mountpoint begins with a dot, id = the mount id. 0: restored by the plugin. */
typedef int CR_PLUGIN_HOOK__DUMP_EXT_MOUNT_t(char *mountpoint, int id);
typedef int CR_PLUGIN_HOOK__RESTORE_EXT_MOUNT_t(int id, char *mountpoint, char *old_root, int *is_file);
/* Dump of a network link of an unknown kind. type = ARPHRD_..., 0: restored by the plugin. */
typedef int CR_PLUGIN_HOOK__DUMP_EXT_LINK_t(int index, int type, char *kind);
/* Dump of a mapping of a character device. fd refers to the device and may be of O_PATH. 0: the mapping is saved
 * without content. */
typedef int CR_PLUGIN_HOOK__HANDLE_DEVICE_VMA_t(int fd, const struct stat *stat);
/* Restore of such a mapping. 1: map at *new_pgoff, and *plugin_fd instead of path unless it is left at -1; 0: as it
 * was. */
typedef int CR_PLUGIN_HOOK__UPDATE_VMA_MAP_t(const char *path, const uint64_t addr, const uint64_t old_pgoff,
					     uint64_t *new_pgoff, int *plugin_fd);
/* Restore: the memory of this task is complete, and it is about to run. */
typedef int CR_PLUGIN_HOOK__RESUME_DEVICES_LATE_t(int pid);
/* Dump: this task is about to be stopped. */
typedef int CR_PLUGIN_HOOK__PAUSE_DEVICES_t(int pid);
/* Dump: all tasks are stopped, nothing has been saved. Called for each. */
typedef int CR_PLUGIN_HOOK__CHECKPOINT_DEVICES_t(int pid);
/* Restore: the root task is there, and the others are about to be made. */
typedef int CR_PLUGIN_HOOK__POST_FORKING_t(void);
/* Restore: all plugins are loaded. */
typedef int CR_PLUGIN_HOOK__RESTORE_INIT_t(void);
/* Dump: all of the tasks is saved, and they still stand. The pid is that of the root. */
typedef int CR_PLUGIN_HOOK__DUMP_DEVICES_LATE_t(int pid);

typedef struct {
	const char *name;
	int (*init)(int stage);		  /* may be NULL; not 0: the operation fails */
	void (*exit)(int stage, int ret); /* may be NULL; ret is the result of the operation */
	unsigned int version;
	unsigned int max_hooks;
	void *hooks[CR_PLUGIN_HOOK__MAX];
} cr_plugin_desc_t;

extern cr_plugin_desc_t CR_PLUGIN_DESC;

#define CR_PLUGIN_REGISTER(name_, init_, exit_)   \
	cr_plugin_desc_t CR_PLUGIN_DESC = {       \
		.name = name_,                    \
		.init = init_,                    \
		.exit = exit_,                    \
		.version = CRIU_PLUGIN_VERSION,   \
		.max_hooks = CR_PLUGIN_HOOK__MAX, \
	};

static inline int cr_plugin_dummy_init(int stage)
{
	(void)stage;
	return 0;
}

static inline void cr_plugin_dummy_exit(int stage, int ret)
{
	(void)stage;
	(void)ret;
}

#define CR_PLUGIN_REGISTER_DUMMY(name_) CR_PLUGIN_REGISTER(name_, cr_plugin_dummy_init, cr_plugin_dummy_exit)

#define CR_PLUGIN_REGISTER_HOOK(hook_, func_)                                          \
	static void __attribute__((constructor)) cr_plugin_register_hook_##func_(void) \
	{                                                                              \
		CR_PLUGIN_DESC.hooks[hook_] = (void *)func_;                           \
	}

/* --- what criu offers to plugins --- */

/* The directory of the images. It stays criu's. */
int criu_get_image_dir(void);
/* Dump: the plugin has put something into the images, so the restore will not begin without it. */
int add_inventory_plugin(const char *name);
/*
 * Restore, in init: whether the dump has named this plugin (the first n characters are compared); it counts as found
 * from then on. Also true for images that name no plugins at all.
 */
bool check_and_remove_inventory_plugin(const char *name, size_t n);

/* --- what this criu offers besides: CRIU 4.2 has none of it --- */

enum {
	CRIU_PLUGIN_LOG_ERROR = 1, /* also becomes a part of the failure that a hook reports */
	CRIU_PLUGIN_LOG_WARNING,
	CRIU_PLUGIN_LOG_INFO,
	CRIU_PLUGIN_LOG_DEBUG,
};

/* One line of criu's log, without a line feed. */
void criu_plugin_log(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* How long a hook may wait for a task or a device: --timeout, in seconds; 0 = without a limit. */
unsigned int criu_plugin_timeout(void);
/*
 * Lets one thread of a task that stands still run, with all signals blocked and under its seccomp filters, as some
 * drivers work by a thread of the program; then stops it where it is. In CHECKPOINT_DEVICES, DUMP_DEVICES_LATE and
 * RESUME_DEVICES_LATE; what was run must be stopped before the hook returns. 0 or -errno.
 */
int criu_plugin_run_thread(int tid);
int criu_plugin_stop_thread(int tid);

#ifdef __cplusplus
}
#endif
