// SPDX-License-Identifier: GPL-2.0-only
/* Numbers of the system calls that libc makes for functions that have none of their own on newer CPUs. */
#pragma once

#include <sys/syscall.h>

#ifdef SYS_pause
#define CALL_PAUSE SYS_pause
#else
#define CALL_PAUSE SYS_ppoll
#endif

#ifdef SYS_poll
#define CALL_POLL SYS_poll
#else
#define CALL_POLL SYS_ppoll
#endif

#ifdef SYS_epoll_wait
#define CALL_EPOLL_WAIT SYS_epoll_wait
#else
#define CALL_EPOLL_WAIT SYS_epoll_pwait
#endif
