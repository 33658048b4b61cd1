/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A thread that was in a system call stands in the images as one that is about to make it. A signal that comes before
 * it runs would have ended the call by EINTR; to a thread in front of the call it comes too early, and who waits for it
 * by pause(2) waits for ever. So the thread is put behind the call again, as one that is interrupted, and the kernel
 * does what it always does: it makes the call again, or runs the handler first and lets the call return EINTR. Only in
 * a stop within the delivery of signals (PTRACE_EVENT_STOP).
 */
#include "arch_regs.h"

#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "arch_state.h"
#include "base/fail.h"

/* include/linux/errno.h */
enum { ERESTARTSYS_ = 512, ERESTARTNOHAND_ = 514, ERESTART_RESTARTBLOCK_ = 516 };

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

/* It is about to make a system call. */
static bool stands_before_call(const struct user_regs_struct *regs, pid_t pid)
{
	uint8_t code[sizeof(code_syscall)];
	struct iovec local = { code, sizeof(code) }, remote = { (void *)regs->rip, sizeof(code) };

	return regs->orig_rax == (unsigned long long)-1 &&
	       process_vm_readv(pid, &local, 1, &remote, 1, 0) == sizeof(code) &&
	       memcmp(code, code_syscall, sizeof(code)) == 0;
}

static void put_behind_call(struct user_regs_struct *regs, int64_t answer)
{
	regs->orig_rax = regs->rax;
	regs->rax = (unsigned long long)answer;
	regs->rip += sizeof(code_syscall);
}

void arch_state_interrupted(struct arch_thread_state *state, pid_t pid)
{
	struct user_regs_struct *regs = &state->general;
	int64_t answer = answer_of(regs->rax);

	if (answer && stands_before_call(regs, pid))
		put_behind_call(regs, answer);
}

/* --- calls with a time limit, which the kernel takes up again by restart_syscall(2) --- */

long arch_state_timed_wait(const struct arch_thread_state *state, const struct arch_thread_state *again,
			   uint64_t args[6])
{
	const struct user_regs_struct *regs = &again->general;

	if ((int64_t)state->general.orig_rax < 0 || (int64_t)state->general.rax != -ERESTART_RESTARTBLOCK_ ||
	    regs->rip == state->general.rip)
		return -1;
	memcpy(args, (const uint64_t[6]){ regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 },
	       6 * sizeof(*args));
	return (long)regs->rax;
}

#define SHORTEST_NS 1000000 /* one that were over before it is interrupted would leave nothing */

/* The arguments that wait so long. False: no such call. */
static bool limit_call(long nr, uint64_t args[6], uint64_t room, uint64_t left_ns)
{
	switch (nr) {
	case __NR_poll:
		args[2] = left_ns / 1000000 < INT_MAX ? (left_ns + 999999) / 1000000 : INT_MAX;
		return true;
	case __NR_nanosleep:
		args[0] = room;
		return true;
	case __NR_clock_nanosleep:
		args[2] = room;
		return !(args[1] & TIMER_ABSTIME);
	case __NR_futex:
		args[3] = room;
		return (args[1] & FUTEX_CMD_MASK) == FUTEX_WAIT;
	}
	return false;
}

int arch_wait_again(pid_t tid, struct arch_thread_state *state, uint64_t instruction, uint64_t sp, uint64_t room,
		    void *room_here, uint64_t left_ns)
{
	struct user_regs_struct *regs = &state->general;
	uint64_t args[6] = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 };
	struct timespec time;
	int64_t result;

	if (left_ns < SHORTEST_NS)
		left_ns = SHORTEST_NS;
	time = (struct timespec){ (time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000) };
	if (!stands_before_call(regs, tid) || !limit_call((long)regs->rax, args, room, left_ns))
		return 0;
	memcpy(room_here, &time, sizeof(time));
	TRY(arch_remote_prepare(tid, state, instruction, sp, (long)regs->rax, args));
	TRY(arch_remote_interrupted(tid, &result));
	if (result == -ERESTART_RESTARTBLOCK_)
		put_behind_call(regs, result);
	return 0;
}
