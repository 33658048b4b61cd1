/* SPDX-License-Identifier: GPL-2.0-only */
/* What the program probe and its parasite agree upon. */
#include <compel/infect-rpc.h>

#define PROBE_BYTES 100000

enum {
	CMD_STD = PARASITE_USER_CMDS, /* what parasites have besides system calls; line: the first that is wrong */
	CMD_CRASH,
	CMD_CLOBBER, /* spoils all registers that C code may spoil */
	CMD_FAIL,
	CMD_INVERT,  /* all bytes */
	CMD_ECHO_FD, /* takes a descriptor and sends a duplicate back */
	CMD_SLEEP,   /* works for a second */
	CMD_SELF,    /* tid and stack */
};

struct probe_args {
	int line, tid;
	unsigned long address;
	int plugins; /* how many were started */
	unsigned char bytes[PROBE_BYTES];
};
