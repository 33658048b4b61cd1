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
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "arch_state.h"
#include "arch_timed.h"
#include "base/fail.h"

static const uint8_t code_syscall[] = { 0x0f, 0x05 };

/* It is about to make a system call. */
static bool stands_before_call(const struct user_regs_struct *regs, pid_t pid)
{
	uint8_t code[sizeof(code_syscall)];
	struct iovec local = { code, sizeof(code) }, remote = { (void *)regs->rip, sizeof(code) };

	if (regs->orig_rax != (unsigned long long)-1)
		return false;
	if (regs_are_compat(regs))
		return compat_stands_before_call(pid, regs);
	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == sizeof(code) &&
	       memcmp(code, code_syscall, sizeof(code)) == 0;
}

static void put_behind_call(struct user_regs_struct *regs, int64_t answer)
{
	regs->orig_rax = regs->rax;
	regs->rax = (unsigned long long)answer;
	regs->rip += sizeof(code_syscall); /* int $0x80 is as long */
}

int arch_state_set_interrupted(pid_t tid, struct arch_thread_state *state)
{
	struct user_regs_struct *regs = &state->general;
	int64_t nr = regs_are_compat(regs) ? compat_native_call(regs, (int64_t)regs->rax) : (int64_t)regs->rax;
	int64_t answer = arch_interrupted_answer((uint64_t)nr);

	if (answer && stands_before_call(regs, tid))
		put_behind_call(regs, answer);
	return arch_state_set(tid, state);
}

/* --- calls with a time limit, which the kernel takes up again by restart_syscall(2) --- */

/* The arguments of the call in the registers: their number is in rax. */
struct call {
	long nr, native; /* as it is, and as 64-bit programs have it */
	uint64_t args[6];
	bool short_words; /* its times are two words of 32 bits */
};

static struct call call_in(const struct user_regs_struct *regs)
{
	if (!regs_are_compat(regs))
		return (struct call){ (long)regs->rax,
				      (long)regs->rax,
				      { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 },
				      false };
	return (struct call){ (long)regs->rax,
			      (long)compat_native_call(regs, (int64_t)regs->rax),
			      { (uint32_t)regs->rbx, (uint32_t)regs->rcx, (uint32_t)regs->rdx, (uint32_t)regs->rsi,
				(uint32_t)regs->rdi, (uint32_t)regs->rbp },
			      regs->rax != IA32_CLOCK_NANOSLEEP_TIME64 && regs->rax != IA32_FUTEX_TIME64 };
}

const struct arch_call_member arch_call_members[ARCH_CALL_MEMBERS] = {
	{ "orig_ax" }, { "di" }, { "si" }, { "dx" }, { "r10" }, { "r8" }, { "r9" }, { "sp" },
};

/* Of the mode of the thread nothing is known; but stacks of 64-bit programs lie high. */
bool arch_may_be_limited(long nr, const uint64_t args[6], uint64_t sp)
{
	const struct user_regs_struct none = { 0 };
	struct call call = { .nr = nr, .native = nr };
	struct arch_timed_wait wait = { 0 };

	if (sp >> 32 == 0)
		call.native = nr == IA32_RESTART_SYSCALL ? __NR_restart_syscall : compat_native_call(&none, nr);
	memcpy(call.args, args, sizeof(call.args));
	return call.native == __NR_restart_syscall || arch_call_find_limit((uint64_t)call.native, call.args, &wait);
}

bool arch_state_timed_wait(const struct arch_thread_state *state, const struct arch_thread_state *again,
			   struct arch_timed_wait *ret)
{
	const struct user_regs_struct *regs = &again->general;
	struct call call = call_in(regs);

	if ((int32_t)state->general.orig_rax < 0 || (int64_t)state->general.rax != -ARCH_ERESTART_RESTARTBLOCK ||
	    regs->rip == state->general.rip)
		return false;
	*ret = (struct arch_timed_wait){
		.nr = call.nr,
		.nr_again = regs_are_compat(regs) ? IA32_RESTART_SYSCALL : __NR_restart_syscall,
		.limit_ms = -1,
		.short_words = call.short_words,
	};
	return arch_call_find_limit((uint64_t)call.native, call.args, ret);
}

void arch_state_resume_wait(struct arch_thread_state *state)
{
}

static void write_time(const struct call *call, uint64_t ns, void *to)
{
	struct timespec time = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
	int32_t words[2] = { time.tv_sec < INT_MAX ? (int32_t)time.tv_sec : INT_MAX, (int32_t)time.tv_nsec };

	if (call->short_words)
		memcpy(to, words, sizeof(words));
	else
		memcpy(to, &time, sizeof(time));
}

int arch_wait_again(pid_t tid, struct arch_thread_state *state, uint64_t instruction, uint64_t sp, uint64_t room,
		    void *room_here, uint64_t left_ns)
{
	struct user_regs_struct *regs = &state->general;
	struct call call = call_in(regs);
	int64_t result;

	left_ns = arch_call_shortest(left_ns);
	if (!stands_before_call(regs, tid) || !arch_call_set_limit((uint64_t)call.native, call.args, room, left_ns))
		return 0;
	write_time(&call, left_ns, room_here);
	if (regs_are_compat(regs))
		TRY(compat_remote_prepare(tid, state, instruction, sp, call.nr, call.args));
	else
		TRY(arch_remote_prepare(tid, state, instruction, sp, call.nr, call.args));
	TRY(arch_remote_interrupted(tid, &result));
	if (result == -ARCH_ERESTART_RESTARTBLOCK)
		put_behind_call(regs, result);
	return 0;
}
