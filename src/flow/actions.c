/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs action scripts: no arguments, no input, output into the log, what they need to know in the environment. */
#include "flow/actions.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/pidfd.h"
#include "options/options.h"
#include "session/listener.h"
#include "session/session.h"

static const char *const names[] = {
	[ACTION_PRE_DUMP] = "pre-dump",
	[ACTION_POST_DUMP] = "post-dump",
	[ACTION_PRE_STREAM] = "pre-stream",
	[ACTION_POST_STREAM] = "post-stream",
	[ACTION_PRE_RESTORE] = "pre-restore",
	[ACTION_POST_RESTORE] = "post-restore",
	[ACTION_PRE_RESUME] = "pre-resume",
	[ACTION_POST_RESUME] = "post-resume",
	[ACTION_NETWORK_LOCK] = "network-lock",
	[ACTION_NETWORK_UNLOCK] = "network-unlock",
	[ACTION_SETUP_NAMESPACES] = "setup-namespaces",
	[ACTION_POST_SETUP_NAMESPACES] = "post-setup-namespaces",
	[ACTION_STATUS_READY] = "status-ready",
	[ACTION_POST_MIGRATE] = "post-migrate",
	[ACTION_MIGRATE_FAILED] = "migrate-failed",
	[ACTION_PRE_ARRIVAL] = "pre-arrival",
	[ACTION_ARRIVAL_FAILED] = "arrival-failed",
};

/* Our environment, without the variables of an outer criu that runs us as its script, and with ours. */
static char **make_environment(struct pool *pool, const struct options *options, enum action action, pid_t root)
{
	size_t n = 0, to = 0;
	char **environment;

	while (environ[n])
		n++;
	environment = pool_array(pool, char *, n + 4);
	for (size_t i = 0; i < n; i++)
		if (!text_starts(environ[i], "CRTOOLS_"))
			environment[to++] = environ[i];
	environment[to++] = pool_printf(pool, "CRTOOLS_SCRIPT_ACTION=%s", names[action]);
	environment[to++] = pool_printf(pool, "CRTOOLS_IMAGE_DIR=/proc/%d/fd/%d", getpid(), options->images_dir_fd);
	if (root > 0)
		environment[to++] = pool_printf(pool, "CRTOOLS_INIT_PID=%d", root);
	return environment;
}

/* posix_spawn(3) keeps fork handlers and locks of our threads out of it. */
static int spawn_script(const char *script, char **environment, pid_t *ret)
{
	char *argv[] = { (char *)script, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	int error;

	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGXFSZ);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, log_fd(), STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
	posix_spawn_file_actions_addclose(&files, STDIN_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	error = posix_spawnp(ret, script, &files, &attributes, argv, environment);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return -error;
}

/* If we are to end, so is the script. */
static int await_script(pid_t pid)
{
	const struct deadline never = { 0 };
	AUTO_CLOSE int pidfd = pidfd_of_process(pid);
	int result = pidfd < 0 ? 0 : interrupt_poll(pidfd, POLLIN, &never);

	if (result < 0)
		(void)kill(pid, SIGTERM);
	return result < 0 ? result : 0;
}

static int run_script(const char *script, enum action action, char **environment)
{
	int status = 0, error, interrupted;
	pid_t pid;

	log_info("Running %s for %s", script, names[action]);
	log_flush(); /* it writes to the same file */
	error = spawn_script(script, environment, &pid);
	if (error < 0)
		return fail(-error, "action script %s cannot be run", script);
	interrupted = await_script(pid);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno("waiting for action script %s", script);
	TRY(interrupted);
	if (WIFSIGNALED(status))
		return refuse(EIO, "action script %s was killed by signal %d at %s", script, WTERMSIG(status),
			      names[action]);
	if (WEXITSTATUS(status))
		return refuse(EIO, "action script %s ended with status %d at %s", script, WEXITSTATUS(status),
			      names[action]);
	return 0;
}

int actions_run(const struct options *options, struct listener *listener, enum action action, pid_t root)
{
	struct pool *pool;
	char **environment;
	int result = 0;

	if (listener && listener->notify(listener, names[action], root) < 0)
		result = -EIO;
	if (!options->action_scripts.n)
		return result;
	pool = pool_create();
	environment = make_environment(pool, options, action, root);
	for (size_t i = options->action_scripts.n; i-- > 0;)
		if (run_script(options->action_scripts.items[i], action, environment) < 0)
			result = -EIO;
	pool_destroy(&pool);
	return result;
}

int actions_query_external(struct dump *d)
{
	struct options *own = pool_copy(d->pool, d->options, sizeof(*own));
	struct opt_list *all = &own->external;
	struct opt_list more = { 0 };
	int error;

	if (!d->listener)
		return 0;
	error = d->listener->query_external(d->listener, d->pool, &more);
	all->capacity = all->n + more.n;
	all->items = pool_array(d->pool, const char *, all->capacity);
	for (size_t i = 0; i < d->options->external.n; i++)
		all->items[i] = d->options->external.items[i];
	for (size_t i = 0; i < more.n; i++)
		all->items[all->n++] = more.items[i];
	vector_done(&more);
	d->options = own;
	return error < 0 ? -EIO : 0;
}
