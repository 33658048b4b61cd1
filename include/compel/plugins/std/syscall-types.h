/* SPDX-License-Identifier: LGPL-2.1-only */
/* Types of the arguments of system calls, as the kernel has them. */
#ifndef COMPEL_PLUGIN_STD_SYSCALL_TYPES_H
#define COMPEL_PLUGIN_STD_SYSCALL_TYPES_H

#include <compel/ksigset.h>
#include <compel/plugins/std/asm/syscall-types.h>
#include <linux/aio_abi.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>

struct cap_header {
	uint32_t version;
	int pid;
};

struct cap_data {
	uint32_t eff;
	uint32_t prm;
	uint32_t inh;
};

struct krlimit {
	unsigned long rlim_cur;
	unsigned long rlim_max;
};

typedef int kernel_timer_t;

struct clone_args;
struct file_handle;
struct msghdr;
struct open_how;
struct pollfd;
struct robust_list_head;
struct rusage;
struct sched_param;
struct siginfo;
struct sigevent;
struct sockaddr;

#endif
