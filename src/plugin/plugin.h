/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plugins: libraries of others that save and restore what we do not know. They are loaded for one dump or restore.
 * Their interface is include/criu-plugin.h; their functions are called in the coordinator, by its main thread.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "criu-plugin.h"

struct plugins;

/* What plugins can ask for that only the one who loads them can do. The functions return 0 or -errno after the reason
 * was logged. mask: the signals that the thread has blocked itself. */
struct plugin_host {
	int (*run_thread)(void *session, int tid, uint64_t *ret_mask);
	int (*stop_thread)(void *session, int tid, uint64_t mask);
};

struct plugin_run {
	int stage; /* CR_PLUGIN_STAGE__... */
	const char
		*libdir; /* where they are; NULL: $CRIU_LIBS_DIR or the directory of the build, which need not exist */
	int images_dir_fd;
	bool has_names; /* restore: the inventory tells which plugins have a part in the images ... */
	char **names;	/* ... these; all are to be found */
	size_t n_names;
	unsigned timeout; /* seconds */
	const struct plugin_host *host;
	void *session; /* for its functions */
};

/*
 * Loads and initialises all *.so of the directory. Returns 0 or -errno; *ret is set in both cases, for plugins_done().
 * Only one set at a time.
 */
int plugins_load(const struct plugin_run *run, struct plugins **ret);
/* Tells them the result of the operation and forgets them; the libraries stay in memory. */
void plugins_done(struct plugins **plugins, int result);
/* Dump: the names that belong into the inventory, until plugins_done(). */
char **plugins_named(struct plugins *plugins, size_t *ret_n);

/*
 * Calls a hook, plugin by plugin, until one answers anything but -EOPNOTSUPP. The value is that answer, -EOPNOTSUPP if
 * there is none:
 *
 *	int fd = plugins_ask(r->plugins, RESTORE_EXT_FILE, (int)id);
 */
#define plugins_ask(plugins, HOOK, ...)                                                             \
	({                                                                                          \
		struct plugin_turn turn_ = { .answer = -EOPNOTSUPP };                               \
		while (plugins_next(plugins, CR_PLUGIN_HOOK__##HOOK, &turn_))                       \
			turn_.answer = ((CR_PLUGIN_HOOK__##HOOK##_t *)turn_.function)(__VA_ARGS__); \
		turn_.answer;                                                                       \
	})

struct plugin_turn {
	size_t next;
	void *function;
	int answer;
};

/* The next one that has the hook; false when there is none, or the last one has answered. plugins may be NULL. */
bool plugins_next(struct plugins *plugins, unsigned hook, struct plugin_turn *turn);

/* The name of the one that was asked last. */
const char *plugins_asked(const struct plugins *plugins);
/* Does any of them have the hook? plugins may be NULL. */
bool plugins_have(const struct plugins *plugins, unsigned hook);
/* For an answer that means failure: logs who gave it. Returns -errno. */
int plugins_fail(struct plugins *plugins, int answer);
/* The same for hooks without a subject: 0 if nobody was there or the answer was 0 or more. */
int plugins_check(struct plugins *plugins, int answer);
