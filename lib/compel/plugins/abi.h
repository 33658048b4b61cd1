/* SPDX-License-Identifier: LGPL-2.1-only */
/* What libcompel and a parasite daemon agree upon. */
#pragma once

#include <stdint.h>
#include <sys/un.h>

/* One message of the control socket. */
struct compel_message {
	uint32_t cmd;
	uint32_t ack; /* the command that is answered */
	int32_t err;  /* what it returned */
};

/*
 * A parasite that has slept (nanosleep(2), futex(2)) has made the kernel forget how to go on with an interrupted sleep
 * of the program. A daemon says so in the first 8 bytes of its frame, a command in a thread by this bit above its
 * result.
 */
#define COMPEL_HAS_SLEPT (1ul << 32)

/* How a daemon whose library is dead goes home and takes all memory with it; addresses over there. call 0: it cannot.
 */
struct compel_last_exit {
	uint64_t call;		 /* "system call; return" of the program */
	uint64_t stack;		 /* for that */
	uint64_t from, to, size; /* bytes to be copied to that stack first */
	uint64_t start, length;	 /* what is unmapped */
	uint64_t back;		 /* its "rt_sigreturn", for CPUs whose calls return to a register */
	uint64_t busy;		 /* of a uint32_t: not 0 while another thread may be in that memory, too */
};

/* Arguments of PARASITE_CMD_INIT_DAEMON. */
struct compel_init_args {
	int32_t addr_len;
	struct sockaddr_un addr; /* where the library listens */
	int32_t log_level;
	uint64_t sigreturn_addr;   /* out: the instruction by which the parasite leaves */
	uint64_t sigframe;	   /* address of the frame for that, struct rt_sigframe */
	uint32_t daemon_connected; /* out: 1; futex */
	/* Out, by parasites of ours: numbers of its two descriptors plus 1, for closing them should it crash. */
	int32_t control_fd, log_fd;
	struct compel_last_exit last_exit;
};
