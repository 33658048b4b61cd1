/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A thread that was in a system call stands in the images as one that is about to make it. A signal that comes before
 * it runs would have ended the call by EINTR; to a thread in front of the call it comes too early, and who waits for it
 * by pause(2) waits for ever. So the thread is put behind the call again, as one that is interrupted, and the kernel
 * does what it always does: it makes the call again, or runs the handler first and lets the call return EINTR. Only in
 * a stop within the delivery of signals (PTRACE_EVENT_STOP).
 */
#include "arch_regs.h"

#include <sys/syscall.h>
#include <sys/uio.h>

#include "arch_state.h"

/* include/linux/errno.h */
enum { ERESTARTSYS_ = 512, ERESTARTNOHAND_ = 514 };

static const uint8_t code_syscall[] = { 0x0f, 0x05 };

/*
 * What the kernel answers in a call that a stop has interrupted; 0: leave it alone. Calls that tell how much time was
 * left (nanosleep) are left alone, as nobody knows it any more.
 */
static int64_t answer_of(uint64_t nr)
{
	switch (nr) {
	case __NR_pause:
	case __NR_select:
	case __NR_pselect6:
	case __NR_poll:
	case __NR_ppoll:
	case __NR_epoll_wait:
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

void arch_state_interrupted(struct arch_thread_state *state, pid_t pid)
{
	struct user_regs_struct *regs = &state->general;
	int64_t answer = regs->orig_rax == (unsigned long long)-1 ? answer_of(regs->rax) : 0;
	uint8_t code[sizeof(code_syscall)];
	struct iovec local = { code, sizeof(code) }, remote = { (void *)regs->rip, sizeof(code) };

	if (!answer || process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof(code) || code[0] != code_syscall[0] ||
	    code[1] != code_syscall[1])
		return;
	regs->orig_rax = regs->rax;
	regs->rax = (unsigned long long)answer;
	regs->rip += sizeof(code_syscall);
}
