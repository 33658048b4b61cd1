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

/* Arguments of PARASITE_CMD_INIT_DAEMON. */
struct compel_init_args {
	int32_t addr_len;
	struct sockaddr_un addr; /* where the library listens */
	int32_t log_level;
	uint64_t sigreturn_addr; /* out: the instruction by which the parasite leaves */
	uint64_t sigframe;	 /* address of the frame for that, struct rt_sigframe */
	uint32_t daemon_connected; /* out: 1; futex */
};
