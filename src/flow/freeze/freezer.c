/* SPDX-License-Identifier: GPL-2.0-only */
/* Freezer cgroups: freezer.state of cgroup v1, cgroup.freeze of cgroup v2. */
#include "flow/freeze/freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/io.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"

struct version {
	const char *control, *frozen, *thawed; /* the file, and what is written to it */
	const char *state, *is_frozen;	       /* where to read whether all stand, and the words that say so */
};

static const struct version versions[] = {
	{ "freezer.state", "FROZEN", "THAWED", "freezer.state", "FROZEN" },
	{ "cgroup.freeze", "1", "0", "cgroup.events", "frozen 1" },
};

struct freezer {
	const struct version *version;
	int dir;
	bool was_frozen;
	pid_t guard;
	int guard_line; /* when it closes without a word, the guard thaws */
};

static int set_state(const struct freezer *freezer, const char *state)
{
	AUTO_CLOSE int fd = openat(freezer->dir, freezer->version->control, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, state, strlen(state)) < 0)
		return fail_errno("writing \"%s\" to %s of the freezer cgroup", state, freezer->version->control);
	return 0;
}

static bool is_frozen(const struct freezer *freezer)
{
	char text[256];

	if (file_read_text(freezer->dir, freezer->version->state, text, sizeof(text)) < 0)
		return false;
	return strstr(text, freezer->version->is_frozen);
}

/* --- the guard --- */

/* Whoever reads a stream that we write waits until nobody else can write to it. */
static void keep_only(int one, int other)
{
	const unsigned first = (unsigned)(one < other ? one : other), last = (unsigned)(one < other ? other : one);

	if (first > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, first - 1, 0);
	if (last > first + 1)
		(void)close_range(first + 1, last - 1, 0);
	(void)close_range(last + 1, ~0u, 0);
}

/* Runs in a copy of a process with threads: plain system calls only. */
static void guard_cgroup(const struct freezer *freezer, int line, int control)
{
	sigset_t all;
	char word;

	keep_only(line, control);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid(); /* who kills our process group does not mean the guard */
	if (write(line, "r", 1) == 1 && read(line, &word, 1) == 0 &&
	    write(control, freezer->version->thawed, strlen(freezer->version->thawed)) < 0)
		_exit(1);
	_exit(0);
}

static int start_guard(struct freezer *freezer)
{
	AUTO_CLOSE int control = openat(freezer->dir, freezer->version->control, O_WRONLY | O_CLOEXEC);
	int ends[2];
	char ready;

	if (control < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return fail_errno("preparing the guard of the freezer cgroup");
	freezer->guard = fork();
	if (freezer->guard < 0) {
		close(ends[0]);
		close(ends[1]);
		return fail_errno("making the guard of the freezer cgroup");
	}
	if (freezer->guard == 0) {
		close(ends[1]);
		guard_cgroup(freezer, ends[0], control);
	}
	close(ends[0]);
	freezer->guard_line = ends[1];
	/* Before it says so, a signal for our process group could still end it together with us. */
	return read(ends[1], &ready, 1) == 1 ? 0 : refuse(EIO, "the guard of the freezer cgroup does not start");
}

static void dismiss_guard(struct freezer *freezer)
{
	if (freezer->guard <= 0)
		return;
	(void)io_write(freezer->guard_line, "x", 1); /* SIGPIPE is ignored, should it be gone */
	close(freezer->guard_line);
	while (waitpid(freezer->guard, NULL, 0) < 0 && errno == EINTR)
		;
	freezer->guard = 0;
}

/* --- */

/* That of a hierarchy, by files that only it has (cgroup1) or lacks (cgroup2). */
static bool is_hierarchy_root(int dir)
{
	struct statfs fs;

	if (fstatfs(dir, &fs) < 0)
		return false;
	if (fs.f_type == CGROUP2_SUPER_MAGIC)
		return faccessat(dir, "cgroup.events", F_OK, 0) < 0;
	return fs.f_type == CGROUP_SUPER_MAGIC && faccessat(dir, "release_agent", F_OK, 0) == 0;
}

/* -EOPNOTSUPP, unlogged: the root of a hierarchy, which engines name for a container that has no cgroup of its own. */
static int find_version(struct freezer *freezer, const char *path)
{
	freezer->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (freezer->dir < 0)
		return fail_errno("--freeze-cgroup %s", path);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		freezer->version = &versions[i];
		if (faccessat(freezer->dir, versions[i].control, F_OK, 0) == 0)
			return 0;
	}
	if (is_hierarchy_root(freezer->dir))
		return -EOPNOTSUPP;
	return refuse(EINVAL,
		      "--freeze-cgroup %s: it has neither freezer.state nor cgroup.freeze: it is no cgroup that can be "
		      "frozen",
		      path);
}

static int wait_frozen(const struct freezer *freezer, const struct deadline *deadline)
{
	while (!is_frozen(freezer)) {
		if (deadline_passed(deadline))
			return refuse(ETIMEDOUT, "the freezer cgroup does not freeze in time (is a task of it in "
						 "uninterruptible sleep?); "
						 "raise --timeout");
		usleep(200);
	}
	return 0;
}

static int freeze_cgroup(struct freezer *freezer, const char *path, const struct deadline *deadline)
{
	int error;

	TRY(find_version(freezer, path));
	freezer->was_frozen = is_frozen(freezer);
	if (freezer->was_frozen)
		return 0;
	TRY(start_guard(freezer));
	error = set_state(freezer, freezer->version->frozen);
	if (error == 0)
		error = wait_frozen(freezer, deadline);
	if (error < 0)
		(void)set_state(freezer, freezer->version->thawed);
	return error;
}

int freezer_freeze(const char *path, const struct deadline *deadline, struct freezer **ret)
{
	struct freezer *freezer = xzalloc(sizeof(*freezer));
	int error;

	LOG_SCOPE("cgroup %s", path);
	error = freeze_cgroup(freezer, path, deadline);
	if (error < 0) {
		dismiss_guard(freezer);
		if (freezer->dir >= 0)
			close(freezer->dir);
		free(freezer);
		*ret = NULL;
		if (error == -EOPNOTSUPP)
			log_warn("This is the root of a hierarchy, which cannot be frozen: the tasks are stopped one "
				 "after the other");
		return error == -EOPNOTSUPP ? 0 : error;
	}
	log_info("Frozen%s", freezer->was_frozen ? ", as it was before" : "");
	*ret = freezer;
	return 0;
}

bool freezer_was_frozen(const struct freezer *freezer)
{
	return freezer->was_frozen;
}

int freezer_thaw(struct freezer *freezer)
{
	int error = set_state(freezer, freezer->version->thawed);

	dismiss_guard(freezer);
	return error;
}

int freezer_undo(const char *path)
{
	struct freezer freezer = { 0 };
	AUTO_CLOSE int dir = -1;
	int error;

	LOG_SCOPE("cgroup %s", path);
	error = find_version(&freezer, path);
	dir = freezer.dir;
	if (error < 0)
		return error == -EOPNOTSUPP ? 0 : error;
	if (!is_frozen(&freezer))
		return 0;
	TRY(set_state(&freezer, freezer.version->thawed));
	return 1;
}

void freezer_end(struct freezer **place)
{
	struct freezer *freezer = TAKE_PTR(*place);

	if (!freezer)
		return;
	if (freezer->was_frozen)
		(void)set_state(freezer, freezer->version->frozen);
	close(freezer->dir);
	free(freezer);
}
