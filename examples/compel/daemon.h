/* SPDX-License-Identifier: GPL-2.0-only */
/* What the program daemon and its parasite agree upon. */
#include <compel/infect-rpc.h>

enum {
	CMD_DESCRIBE = PARASITE_USER_CMDS, /* the daemon: about the process */
	CMD_ADD,			   /* the daemon: sum += operand */
	CMD_THREAD,			   /* each thread: about itself */
};

struct daemon_args {
	/* CMD_DESCRIBE */
	int pid, sid;
	int uid, euid, suid;
	int umask;
	/* CMD_ADD */
	long operand, sum;
	/* CMD_THREAD */
	int tid;
	unsigned long stack; /* where the thread's alternate signal stack is, 0 = none */
};
