/* SPDX-License-Identifier: GPL-2.0-only */
/* The set of plugins of one dump or restore: who is there, in which order they are asked, which names belong into the
 * inventory. */
#include "plugin/plugin.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/vector.h"
#include "plugin/library.h"
#include "plugin/plugin-dir.h"

struct plugins {
	int stage, images_dir_fd;
	bool has_names;
	unsigned timeout;
	const struct plugin_host *host;
	void *session;
	int running;	/* the thread that a plugin lets run */
	uint64_t mask;	/* which it has blocked itself */
	char said[512]; /* the last error that the one who is asked has written */
	VECTOR(struct plugin) items;
	VECTOR(char *) names; /* dump: to be written; restore: not claimed yet */
	struct pool *pool;
	const struct plugin *asked; /* the last one */
	unsigned hook;
};

/* The functions that plugins call have no argument for it. */
static struct plugins *active;

/* --- what plugins call; src/plugin/exported.list has the names --- */

int criu_get_image_dir(void)
{
	return active ? active->images_dir_fd : -1;
}

int add_inventory_plugin(const char *name)
{
	if (!active || active->stage == CR_PLUGIN_STAGE__RESTORE)
		return -1;
	*vector_push(&active->names) = pool_string(active->pool, name);
	return 0;
}

bool check_and_remove_inventory_plugin(const char *name, size_t n)
{
	if (!active || active->stage != CR_PLUGIN_STAGE__RESTORE)
		return false;
	if (!active->has_names)
		return true;
	for (size_t i = 0; i < active->names.n; i++) {
		if (strncmp(active->names.items[i], name, n) != 0)
			continue;
		active->names.items[i] = active->names.items[--active->names.n];
		return true;
	}
	return false;
}

void criu_plugin_log(int level, const char *format, ...)
{
	const bool is_error = level <= CRIU_PLUGIN_LOG_ERROR && active;
	char text[1024];
	va_list args;

	va_start(args, format);
	if (is_error)
		vsnprintf(active->said, sizeof(active->said), format, args);
	else
		vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!is_error)
		log_write(level < CRIU_PLUGIN_LOG_DEBUG ? (enum log_level)level : LOG_DEBUG, __FILE__, __LINE__, "%s",
			  text);
}

unsigned int criu_plugin_timeout(void)
{
	return active ? active->timeout : 0;
}

int criu_plugin_run_thread(int tid)
{
	int result;

	if (!active || !active->host || tid <= 0)
		return -EINVAL;
	if (active->running)
		return -EBUSY;
	result = active->host->run_thread(active->session, tid, &active->mask);
	active->running = result < 0 ? 0 : tid;
	return result;
}

int criu_plugin_stop_thread(int tid)
{
	if (!active || tid <= 0 || active->running != tid)
		return -EINVAL;
	active->running = 0;
	return active->host->stop_thread(active->session, tid, active->mask);
}

/* What it has said without failing. */
static void tell_what_was_said(struct plugins *plugins)
{
	if (plugins->said[0])
		log_error("%s: %s", plugins->asked ? plugins->asked->name : "a plugin", plugins->said);
	plugins->said[0] = '\0';
}

/* --- loading --- */

static int add_plugin(struct plugins *plugins, const char *path)
{
	struct plugin *plugin = vector_push(&plugins->items);
	int error;

	LOG_SCOPE("plugin %s", path);
	error = library_load(path, plugins->pool, plugin);
	if (error < 0) {
		plugins->items.n--; /* its exit is not called */
		return error;
	}
	log_info("Loaded plugin %s", plugin->name);
	error = plugin->init ? plugin->init(plugins->stage) : 0;
	if (!error)
		return 0;
	plugins->items.n--;
	return refuse(EINVAL,
		      "it does not want to begin (its init returned %d%s%s); take it out of the directory, or see what "
		      "it said",
		      error, plugins->said[0] ? ": " : "", plugins->said);
}

static bool is_library(const char *name)
{
	size_t n = strlen(name);

	return n > 3 && !strcmp(name + n - 3, ".so");
}

static int load_all(struct plugins *plugins, const char *path, bool may_be_missing)
{
	AUTO_CLOSEDIR DIR *dir = opendir(path);

	if (!dir && errno == ENOENT && may_be_missing)
		return 0;
	if (!dir)
		return fail_errno("plugin directory %s cannot be opened", path);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		if (is_library(entry->d_name))
			TRY(add_plugin(plugins, pool_printf(plugins->pool, "%s/%s", path, entry->d_name)));
	if (!plugins->items.n && !may_be_missing)
		log_warn("There are no plugins in %s%s", path,
			 path[0] == '/' ? "" : ", a directory below the work directory");
	return 0;
}

/* A criu with capabilities of its own must not run the code of whoever calls it. */
static int choose_directory(const char *libdir, const char **ret, bool *ret_may_be_missing)
{
	const char *from_environment = secure_getenv("CRIU_LIBS_DIR");

	*ret_may_be_missing = !libdir && !from_environment;
	*ret = libdir ?: from_environment ?: PLUGIN_DIR;
	if (libdir && getauxval(AT_SECURE))
		return refuse(
			EPERM,
			"--libdir %s: criu has rights that its caller lacks, so it takes plugins only from " PLUGIN_DIR,
			libdir);
	return 0;
}

static int check_claimed(const struct plugins *plugins)
{
	if (plugins->stage != CR_PLUGIN_STAGE__RESTORE || !plugins->names.n)
		return 0;
	return refuse(ENOENT,
		      "the dump was made with the plugin %s, which is missing here: give its directory with --libdir",
		      plugins->names.items[0]);
}

int plugins_load(const struct plugin_run *run, struct plugins **ret)
{
	struct plugins *plugins = *ret = xzalloc(sizeof(*plugins));
	const char *path;
	bool may_be_missing;

	active = plugins;
	plugins->pool = pool_create();
	plugins->stage = run->stage;
	plugins->images_dir_fd = run->images_dir_fd;
	plugins->has_names = run->has_names;
	plugins->timeout = run->timeout;
	plugins->host = run->host;
	plugins->session = run->session;
	for (size_t i = 0; i < run->n_names; i++)
		*vector_push(&plugins->names) = run->names[i];
	TRY(choose_directory(run->libdir, &path, &may_be_missing));
	TRY(load_all(plugins, path, may_be_missing));
	TRY(check_claimed(plugins));
	return run->stage == CR_PLUGIN_STAGE__RESTORE ? plugins_check(plugins, plugins_ask(plugins, RESTORE_INIT)) : 0;
}

void plugins_done(struct plugins **place, int result)
{
	struct plugins *plugins = TAKE_PTR(*place);

	if (!plugins)
		return;
	for (size_t i = 0; i < plugins->items.n; i++)
		if (plugins->items.items[i].exit && plugins->stage != CR_PLUGIN_STAGE__PRE_DUMP)
			plugins->items.items[i].exit(plugins->stage, result);
	tell_what_was_said(plugins);
	active = NULL;
	vector_done(&plugins->items);
	vector_done(&plugins->names);
	pool_destroy(&plugins->pool);
	free(plugins);
}

char **plugins_named(struct plugins *plugins, size_t *ret_n)
{
	*ret_n = plugins->names.n;
	return plugins->names.items;
}

/* --- asking --- */

static const char *const hook_names[] = {
	[CR_PLUGIN_HOOK__DUMP_UNIX_SK] = "DUMP_UNIX_SK",
	[CR_PLUGIN_HOOK__RESTORE_UNIX_SK] = "RESTORE_UNIX_SK",
	[CR_PLUGIN_HOOK__DUMP_EXT_FILE] = "DUMP_EXT_FILE",
	[CR_PLUGIN_HOOK__RESTORE_EXT_FILE] = "RESTORE_EXT_FILE",
	[CR_PLUGIN_HOOK__DUMP_EXT_MOUNT] = "DUMP_EXT_MOUNT",
	[CR_PLUGIN_HOOK__RESTORE_EXT_MOUNT] = "RESTORE_EXT_MOUNT",
	[CR_PLUGIN_HOOK__DUMP_EXT_LINK] = "DUMP_EXT_LINK",
	[CR_PLUGIN_HOOK__HANDLE_DEVICE_VMA] = "HANDLE_DEVICE_VMA",
	[CR_PLUGIN_HOOK__UPDATE_VMA_MAP] = "UPDATE_VMA_MAP",
	[CR_PLUGIN_HOOK__RESUME_DEVICES_LATE] = "RESUME_DEVICES_LATE",
	[CR_PLUGIN_HOOK__PAUSE_DEVICES] = "PAUSE_DEVICES",
	[CR_PLUGIN_HOOK__CHECKPOINT_DEVICES] = "CHECKPOINT_DEVICES",
	[CR_PLUGIN_HOOK__POST_FORKING] = "POST_FORKING",
	[CR_PLUGIN_HOOK__RESTORE_INIT] = "RESTORE_INIT",
	[CR_PLUGIN_HOOK__DUMP_DEVICES_LATE] = "DUMP_DEVICES_LATE",
};

bool plugins_next(struct plugins *plugins, unsigned hook, struct plugin_turn *turn)
{
	if (!plugins)
		return false;
	if (plugins->running) /* it has forgotten that */
		(void)criu_plugin_stop_thread(plugins->running);
	if (turn->function)
		log_debug("Plugin %s: %s gives %d", plugins->asked->name, hook_names[hook], turn->answer);
	if (turn->answer != -EOPNOTSUPP)
		return false;
	while (turn->next < plugins->items.n) {
		const struct plugin *plugin = &plugins->items.items[turn->next++];

		turn->function = hook < plugin->n_hooks ? plugin->hooks[hook] : NULL;
		if (!turn->function)
			continue;
		tell_what_was_said(plugins);
		plugins->asked = plugin;
		plugins->hook = hook;
		return true;
	}
	return false;
}

const char *plugins_asked(const struct plugins *plugins)
{
	return plugins->asked ? plugins->asked->name : "?";
}

bool plugins_have(const struct plugins *plugins, unsigned hook)
{
	for (size_t i = 0; plugins && i < plugins->items.n; i++)
		if (hook < plugins->items.items[i].n_hooks && plugins->items.items[i].hooks[hook])
			return true;
	return false;
}

int plugins_fail(struct plugins *plugins, int answer)
{
	char said[sizeof(plugins->said)];

	snprintf(said, sizeof(said), "%s", plugins->said);
	plugins->said[0] = '\0';
	return refuse(-answer < 4096 ? -answer : EIO, "the plugin %s failed at %s with %d (%s)%s%s",
		      plugins->asked->name, hook_names[plugins->hook], answer, strerror(-answer), *said ? ": " : "",
		      said);
}

int plugins_check(struct plugins *plugins, int answer)
{
	return answer >= 0 || answer == -EOPNOTSUPP ? 0 : plugins_fail(plugins, answer);
}
