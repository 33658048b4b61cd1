/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs inside of the other process: tells which descriptors it has, and hands them over. */
#include <compel/plugins/std.h>
#include <fcntl.h>

#include "fds.h"

static int list(struct fds_args *args)
{
	args->n = 0;
	for (int fd = 0; fd < FDS_MAX; fd++)
		if (fd != parasite_get_rpc_sock() && sys_fcntl(fd, F_GETFD, 0) >= 0)
			args->numbers[args->n++] = fd;
	return 0;
}

static int hand_over(const struct fds_args *args)
{
	for (int i = 0; i < args->n; i++)
		if (fds_send_fd(args->numbers[i]) < 0)
			return -1;
	return 0;
}

int parasite_daemon_cmd(int cmd, void *args)
{
	switch (cmd) {
	case CMD_LIST:
		return list(args);
	case CMD_SEND:
		return hand_over(args);
	}
	return -1;
}

int parasite_trap_cmd(int cmd, void *args)
{
	return -1;
}

void parasite_cleanup(void)
{
}
