/* SPDX-License-Identifier: LGPL-2.1-only */
/* The table of features, and helpers for trying things in children. */
#include "kern/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/grace.h"
#include "base/io.h"
#include "base/log.h"

const struct feature features[FEATURE_COUNT] = {
#define FEATURE(id, group_, name_, since_, needed_for_) \
	[FEATURE_ID_##id] = { name_, FEATURE_##group_, since_, needed_for_, probe_##id },
#include "kern/features.def"
#undef FEATURE
};

const struct feature *feature_find(const char *name)
{
	for (size_t i = 0; i < FEATURE_COUNT; i++)
		if (!strcmp(features[i].name, name))
			return &features[i];
	return NULL;
}

int probe_result(struct probes *probes, enum feature_id id)
{
	if (!probes->known[id]) {
		probes->result[id] = features[id].probe();
		probes->known[id] = true;
		log_debug("feature %s: %d", features[id].name, probes->result[id]);
	}
	return probes->result[id];
}

int probe_failed(void)
{
	switch (errno) {
	case ENOSYS:
	case EINVAL:
	case ENOTTY:
	case EOPNOTSUPP:
	case ENOPROTOOPT:
	case ENODEV:
	case ENOENT:
		return 0;
	default:
		return -errno;
	}
}

/* In the child: reports and ends without running anything of the parent's. */
static void __attribute__((noreturn)) report_result(int fd, int result)
{
	(void)io_write(fd, &result, sizeof(result)); /* unread if the parent gave up */
	_exit(0);
}

static int set_lo_up(void)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int enter_namespaces(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	return set_lo_up();
}

static int try_in_child(int (*prepare)(void), int (*run)(void))
{
	struct pollfd wait;
	int pipe_fds[2], result = 0;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		result = -errno;
	} else if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		result = prepare ? prepare() : 0;
		report_result(pipe_fds[1], result < 0 ? result : run());
	}
	close(pipe_fds[1]);
	wait = (struct pollfd){ .fd = pipe_fds[0], .events = POLLIN };
	if (pid > 0) {
		if (poll(&wait, 1, GRACE_PROBE_MS) != 1)
			result = -ETIMEDOUT;
		else if (io_read(pipe_fds[0], &result, sizeof(result)) != sizeof(result))
			result = 0; /* it died: a kernel for which we cannot use this */
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(pipe_fds[0]);
	return result;
}

int probe_in_child(int (*run)(void))
{
	return try_in_child(NULL, run);
}

int probe_in_namespaces(int (*run)(void))
{
	return try_in_child(enter_namespaces, run);
}

int probe_start_tracee(int (*prepare)(void))
{
	int pipe_fds[2], result = 0, status;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		result = prepare ? prepare() : 0;
		(void)io_write(pipe_fds[1], &result, sizeof(result)); /* the parent notices a short read */
		for (;;)
			pause();
	}
	result = pid < 0 ? -errno : 0;
	close(pipe_fds[1]);
	if (!result && io_read(pipe_fds[0], &result, sizeof(result)) != sizeof(result))
		result = -ECHILD;
	close(pipe_fds[0]);
	if (!result && (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
			waitpid(pid, &status, __WALL) != pid))
		result = -errno;
	if (result && pid > 0)
		probe_end_tracee(pid);
	return result ? result : pid;
}

void probe_end_tracee(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
}

bool probe_file_contains(const char *path, const char *text)
{
	AUTO_FREE char *content = NULL;

	return file_read_all(AT_FDCWD, path, &content, NULL) >= 0 && strstr(content, text);
}
