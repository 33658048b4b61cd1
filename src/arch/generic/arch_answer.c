/* SPDX-License-Identifier: LGPL-2.1-only */
/* What the kernel answers in a system call that was interrupted. Newer CPUs have never had the older calls. */
#include <sys/syscall.h>

#include "arch_regs.h"

/* include/linux/errno.h */
enum { ERESTARTSYS_ = 512, ERESTARTNOHAND_ = 514 };

int64_t arch_interrupted_answer(uint64_t nr)
{
	switch (nr) {
#ifdef __NR_pause
	case __NR_pause:
	case __NR_select:
	case __NR_poll:
	case __NR_epoll_wait:
#endif
	case __NR_pselect6:
	case __NR_ppoll:
	case __NR_io_uring_enter:
	case __NR_epoll_pwait:
	case 441: /* epoll_pwait2 */
	case __NR_rt_sigtimedwait:
	case __NR_msgrcv:
	case __NR_msgsnd:
	case __NR_semop:
	case __NR_semtimedop:
		return -ERESTARTNOHAND_;
	case __NR_read:
	case __NR_readv:
	case __NR_write:
	case __NR_writev:
	case __NR_recvfrom:
	case __NR_recvmsg:
	case __NR_sendto:
	case __NR_sendmsg:
	case __NR_accept:
	case __NR_accept4:
	case __NR_connect:
	case __NR_wait4:
	case __NR_waitid:
	case __NR_flock:
	case __NR_mq_timedreceive:
	case __NR_mq_timedsend:
		return -ERESTARTSYS_;
	}
	return 0;
}

bool arch_call_returns_eintr(uint64_t nr)
{
	switch (nr) {
	case __NR_io_uring_enter:
#ifdef __NR_epoll_wait
	case __NR_epoll_wait:
#endif
	case __NR_epoll_pwait:
	case 441: /* epoll_pwait2 */
	case __NR_rt_sigtimedwait:
	case __NR_semop:
	case __NR_semtimedop:
	case __NR_io_getevents:
	case __NR_io_pgetevents:
	case __NR_futex:
	/* Sockets with SO_RCVTIMEO or SO_SNDTIMEO. */
	case __NR_accept:
	case __NR_accept4:
	case __NR_recvfrom:
	case __NR_recvmsg:
	case __NR_recvmmsg:
	case __NR_sendto:
	case __NR_sendmsg:
	case __NR_sendmmsg:
	case __NR_read:
	case __NR_readv:
	case __NR_write:
	case __NR_writev:
		return true;
	}
	return false;
}
