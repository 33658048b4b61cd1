/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * A thread that was in a system call stands in the images as one that is about to make it. A signal that comes before
 * it runs would have ended the call by EINTR; to a thread in front of the call it comes too early, and who waits for it
 * by ppoll(2) waits for ever. So the thread is put behind the call again, as one that is interrupted, and the kernel
 * does what it always does. It alone keeps the first argument of a call, so the thread must enter it really.
 */
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arch_regs.h"
#include "arch_state.h"
#include "arch_timed.h"
#include "base/fail.h"
#include "base/grace.h"

static int run_to_stop(pid_t tid, int *lost_stop)
{
	const struct deadline soon = deadline_in_seconds(GRACE_HOME_S);

	TRY(arch_remote_run(tid));
	return arch_remote_wait(tid, &soon, lost_stop);
}

/* In the stop behind the call, that is not made, the kernel is told that it was, and how it ended. */
static int enter_and_break_off(pid_t tid, const struct arch_thread_state *state, int64_t answer)
{
	struct user_pt_regs regs = state->general;
	int lost_stop = 0, error = run_to_stop(tid, &lost_stop);

	if (error == 0)
		error = arch_skip_syscall(tid);
	if (error == 0)
		error = run_to_stop(tid, &lost_stop);
	if (error == 0)
		error = arch_remote_entered(tid, (long)regs.regs[8]);
	regs.pc += CALL_SIZE;
	regs.regs[0] = (uint64_t)answer;
	if (error == 0)
		error = regs_set(tid, &regs);
	if (lost_stop)
		syscall(__NR_tkill, tid, lost_stop);
	return error;
}

int arch_state_set_interrupted(pid_t tid, struct arch_thread_state *state)
{
	int64_t answer = arch_interrupted_answer(state->general.regs[8]);

	TRY(arch_state_set(tid, state));
	return answer && code_is_call(tid, state->general.pc) ? enter_and_break_off(tid, state, answer) : 0;
}

const struct arch_call_member arch_call_members[ARCH_CALL_MEMBERS] = {
	{ "syscallno" }, { "orig_x0" },	 { "regs", 8 },	 { "regs", 16 },
	{ "regs", 24 },	 { "regs", 32 }, { "regs", 40 }, { "sp" },
};

bool arch_may_be_limited(long nr, const uint64_t args[6], uint64_t sp)
{
	struct arch_timed_wait wait = { 0 };

	return nr == __NR_restart_syscall || arch_call_find_limit((uint64_t)nr, args, &wait);
}

/* By its registers alone nobody can tell it from a thread that is about to make the call for the first time. */
bool arch_state_timed_wait(const struct arch_thread_state *state, const struct arch_thread_state *again,
			   struct arch_timed_wait *ret)
{
	const struct user_pt_regs *regs = &again->general;
	uint64_t args[6];

	if (!state->tid || regs->pc != state->general.pc || !code_is_call(state->tid, regs->pc))
		return false;
	*ret = (struct arch_timed_wait){
		.nr = (long)regs->regs[8],
		.nr_again = __NR_restart_syscall,
		.limit_ms = -1,
		.must_be_seen = true,
	};
	memcpy(args, regs->regs, sizeof(args));
	return arch_call_find_limit(regs->regs[8], args, ret);
}

void arch_state_resume_wait(struct arch_thread_state *state)
{
	state->general.regs[8] = __NR_restart_syscall;
}

int arch_wait_again(pid_t tid, struct arch_thread_state *state, uint64_t instruction, uint64_t sp, uint64_t room,
		    void *room_here, uint64_t left_ns)
{
	struct user_pt_regs *regs = &state->general;
	struct timespec time;
	uint64_t args[6];
	int64_t result;

	left_ns = arch_call_shortest(left_ns);
	memcpy(args, regs->regs, sizeof(args));
	if (!code_is_call(tid, regs->pc) || !arch_call_set_limit(regs->regs[8], args, room, left_ns))
		return 0;
	time = (struct timespec){ (time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000) };
	memcpy(room_here, &time, sizeof(time));
	TRY(arch_remote_prepare(tid, state, instruction, sp, (long)regs->regs[8], args));
	TRY(arch_remote_interrupted(tid, &result));
	if (result == -ARCH_ERESTART_RESTARTBLOCK)
		regs->regs[8] = __NR_restart_syscall;
	return 0;
}
