/* SPDX-License-Identifier: GPL-2.0-only */
/* Gets all descriptors of another process, as descriptors of its own, and says what they are: fds PID. The Makefile
 * builds it. */
#include <compel/infect.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fds-parasite.h"
#include "fds.h"

static void print_line(unsigned level, const char *format, va_list args)
{
	vfprintf(stderr, format, args);
}

static void print_descriptor(int theirs, int ours)
{
	char path[64], target[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", ours);
	n = readlink(path, target, sizeof(target) - 1);
	printf("%d -> %.*s\n", theirs, n < 0 ? 1 : (int)n, n < 0 ? "?" : target);
}

static int read_descriptors(struct parasite_ctl *ctl)
{
	struct fds_args *args = compel_parasite_args(ctl, struct fds_args);
	int fd;

	if (compel_rpc_call_sync(CMD_LIST, ctl) < 0 || compel_rpc_call(CMD_SEND, ctl) < 0)
		return -1;
	for (int i = 0; i < args->n; i++) {
		if (compel_util_recv_fd(ctl, &fd) < 0)
			return -1;
		/* The parasite's log is one of them: it was ours from the beginning. */
		print_descriptor(args->numbers[i], fd);
		close(fd);
	}
	return compel_rpc_sync(CMD_SEND, ctl);
}

static int infect(int pid)
{
	struct parasite_ctl *ctl = compel_prepare(pid);
	int failed;

	if (!ctl)
		return -1;
	compel_infect_ctx(ctl)->log_fd = STDERR_FILENO;
	fds_parasite_setup_c_header(ctl);
	failed = compel_infect(ctl, 1, sizeof(struct fds_args));
	if (!failed)
		failed = read_descriptors(ctl);
	return compel_cure(ctl) < 0 ? -1 : failed;
}

int main(int argc, char *argv[])
{
	int pid, state, failed;

	if (argc != 2) {
		fprintf(stderr, "Usage: %s PID\n", argv[0]);
		return 2;
	}
	compel_log_init(print_line, COMPEL_LOG_WARN);
	pid = atoi(argv[1]);
	state = compel_stop_task(pid);
	if (state < 0) {
		fprintf(stderr, "cannot stop %d: %s\n", pid, strerror(errno));
		return 1;
	}
	failed = infect(pid);
	if (compel_resume_task(pid, state, state) < 0)
		failed = -1;
	return failed ? 1 : 0;
}
