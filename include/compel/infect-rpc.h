/* SPDX-License-Identifier: LGPL-2.1-only */
/* Commands for the daemon that a parasite becomes: it runs them one after the other in the task, in its thread. */
#ifndef COMPEL_INFECT_RPC_H
#define COMPEL_INFECT_RPC_H

#include <compel/infect-util.h>

#ifdef __cplusplus
extern "C" {
#endif

struct parasite_ctl;

enum {
	PARASITE_CMD_IDLE,
	PARASITE_CMD_ACK,
	PARASITE_CMD_INIT_DAEMON,
	PARASITE_CMD_FINI,

	PARASITE_USER_CMDS = 64, /* the first number for commands of one's own */
};

/*
 * compel_rpc_call() sends the command and returns at once: until compel_rpc_sync() both sides may use
 * compel_parasite_args() and the control socket as the two have agreed. compel_rpc_sync() waits for the end of the
 * command. Both return 0; -1 with errno when the daemon is not there or has died (ESRCH, ECONNRESET, EIO: it got a
 * signal such as SIGSEGV; the task's registers are in order then), and compel_rpc_sync() when the command returned
 * other than 0 (EREMOTEIO): the daemon refuses all commands after that one.
 */
int compel_rpc_call(unsigned int cmd, struct parasite_ctl *ctl);
int compel_rpc_sync(unsigned int cmd, struct parasite_ctl *ctl);
int compel_rpc_call_sync(unsigned int cmd, struct parasite_ctl *ctl);

/* The control socket (AF_UNIX, SOCK_SEQPACKET), -1 if there is no daemon. It stays the library's. */
int compel_rpc_sock(struct parasite_ctl *ctl);

#ifdef __cplusplus
}
#endif

#endif
