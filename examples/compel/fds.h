/* SPDX-License-Identifier: GPL-2.0-only */
/* What the program fds and its parasite agree upon. */
#include <compel/infect-rpc.h>

#define FDS_MAX 1024

enum {
	CMD_LIST = PARASITE_USER_CMDS, /* fills numbers and n */
	CMD_SEND,		       /* sends them all, in that order */
};

struct fds_args {
	int n;
	int numbers[FDS_MAX];
};
