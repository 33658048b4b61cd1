/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls of NVIDIA's driver. */
#include "driver.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_SECONDS 5 /* longer than a lock may take by itself */

/* --- in the process that calls --- */

static const char *const names[] = {
	[DRIVER_FIND] = "cuInit",
	[DRIVER_GET_THREAD] = "cuCheckpointProcessGetRestoreThreadId",
	[DRIVER_GET_STATE] = "cuCheckpointProcessGetState",
	[DRIVER_LOCK] = "cuCheckpointProcessLock",
	[DRIVER_CHECKPOINT] = "cuCheckpointProcessCheckpoint",
	[DRIVER_RESTORE] = "cuCheckpointProcessRestore",
	[DRIVER_UNLOCK] = "cuCheckpointProcessUnlock",
};

static int call_function(void *function, enum driver_action action, int pid, unsigned int seconds, int *ret_value)
{
	struct cuda_lock_args lock = { .timeout_ms = seconds * 1000 };
	struct cuda_other_args other = { 0 };
	enum cuda_process_state state = CU_PROCESS_STATE_FAILED;
	int error;

	switch (action) {
	case DRIVER_GET_THREAD:
		return ((cuda_get_thread_t *)function)(pid, ret_value);
	case DRIVER_GET_STATE:
		error = ((cuda_get_state_t *)function)(pid, &state);
		*ret_value = (int)state;
		return error;
	case DRIVER_LOCK:
		return ((cuda_lock_t *)function)(pid, &lock);
	case DRIVER_FIND:
		return CUDA_SUCCESS;
	default:
		return ((cuda_other_t *)function)(pid, &other);
	}
}

static void describe_error(void *library, const char *what, struct driver_reply *reply)
{
	cuda_error_name_t *error_name = (cuda_error_name_t *)dlsym(library, "cuGetErrorName");
	const char *name = NULL;

	if (error_name)
		(void)error_name(reply->error, &name);
	snprintf(reply->text, sizeof(reply->text), "%s gives %d (%s)", what, reply->error, name ? name : "unknown");
}

static void call_library(enum driver_action action, int pid, unsigned int seconds, struct driver_reply *reply)
{
	void *library = dlopen(DRIVER_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	void *function;
	cuda_init_t *init;

	if (!library) {
		snprintf(reply->text, sizeof(reply->text), "%s", dlerror());
		return;
	}
	init = (cuda_init_t *)dlsym(library, "cuInit");
	function = dlsym(library, names[action]);
	if (!init || !function || !dlsym(library, names[DRIVER_CHECKPOINT])) {
		snprintf(reply->text, sizeof(reply->text), "%s has no %s: it needs driver 570 or later", DRIVER_LIBRARY,
			 function ? names[DRIVER_CHECKPOINT] : names[action]);
		return;
	}
	reply->error = init(0);
	if (reply->error) {
		describe_error(library, "cuInit", reply);
		return;
	}
	reply->is_there = true;
	reply->error = call_function(function, action, pid, seconds, &reply->value);
	if (reply->error)
		describe_error(library, names[action], reply);
}

/* --- in criu --- */

static int wait_for_reply(int from, int timeout_ms, struct driver_reply *ret)
{
	struct pollfd ask = { .fd = from, .events = POLLIN };
	int n = poll(&ask, 1, timeout_ms);

	if (n < 0)
		return -errno;
	if (!n)
		return -ETIMEDOUT;
	return read(from, ret, sizeof(*ret)) == sizeof(*ret) ? 0 : -EPIPE;
}

/* What takes time are the copies of memory: as long as they take. */
static int timeout_of(enum driver_action action, unsigned int seconds)
{
	if (!seconds || action == DRIVER_CHECKPOINT || action == DRIVER_RESTORE)
		return -1;
	return (int)(seconds + GRACE_SECONDS) * 1000;
}

static void serve(int to, pid_t parent, enum driver_action action, int pid, unsigned int seconds)
{
	struct driver_reply reply = { 0 };

	/* A key that interrupts criu interrupts us by it. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	call_library(action, pid, seconds, &reply);
	_exit(write(to, &reply, sizeof(reply)) == sizeof(reply) ? 0 : 1);
}

static void tell_end(int error, int status, enum driver_action action, struct driver_reply *reply)
{
	const size_t capacity = sizeof(reply->text);

	if (error == -EPIPE && WIFSIGNALED(status))
		snprintf(reply->text, capacity, "%s: the library died by signal %d", names[action], WTERMSIG(status));
	else if (error == -ETIMEDOUT)
		snprintf(reply->text, capacity, "%s does not return: raise --timeout", names[action]);
	else
		snprintf(reply->text, capacity, "%s: %s", names[action], strerror(-error));
}

int driver_call(enum driver_action action, int pid, unsigned int seconds, struct driver_reply *ret)
{
	pid_t parent = getpid(), child;
	int ends[2], error, status = 0;

	memset(ret, 0, sizeof(*ret));
	if (pipe(ends) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		serve(ends[1], parent, action, pid, seconds);
	error = child < 0 ? -errno : 0;
	close(ends[1]);
	if (!error)
		error = wait_for_reply(ends[0], timeout_of(action, seconds), ret);
	close(ends[0]);
	if (child > 0) {
		if (error == -ETIMEDOUT || error == -EINTR)
			kill(child, SIGKILL);
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (error)
		tell_end(error, status, action, ret);
	return error;
}
