/* SPDX-License-Identifier: LGPL-2.1-only */
/* Registers of a thread, by each CPU: to and from ptrace, to and from the record, into the blob and home again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/deadline.h"
#include "base/pool.h"
#include "core.pb-c.h"

struct arch_thread_state;

/* What core_entry.mtype says of this CPU. */
CoreEntry__March arch_core_type(void);

/* All registers of a thread in a ptrace stop. fail()s, as all here. */
int arch_state_get(pid_t tid, struct pool *pool, struct arch_thread_state **ret);
/* The same in two steps: first the general ones, NULL (not logged) if they cannot be read; then the others. */
struct arch_thread_state *arch_state_get_general(pid_t tid, struct pool *pool);
int arch_state_get_extended(pid_t tid, struct pool *pool, struct arch_thread_state *state);
struct arch_thread_state *arch_state_copy(const struct arch_thread_state *state, struct pool *pool); /* same pool */
int arch_state_set(pid_t tid, const struct arch_thread_state *state);
/* The general registers only: the blob leaves all others alone. */
int arch_state_set_general(pid_t tid, const struct arch_thread_state *state);
/* Those others. */
int arch_state_set_extended(pid_t tid, const struct arch_thread_state *state);

/*
 * Breakpoints and watchpoints in registers of the CPU that are switched on, of a thread in a ptrace stop, in a form of
 * this CPU: 0 bytes, there are none.
 */
int arch_breakpoints_get(pid_t tid, struct pool *pool, uint8_t **ret, size_t *ret_size);
int arch_breakpoints_check(size_t size);
int arch_breakpoints_set(pid_t tid, const uint8_t *data, size_t size); /* checked before */
bool arch_breakpoints_try(pid_t pid); /* whether one can be set in pid, which is not to run any more */

/* A thread of a 32-bit program (or in such code of another one). */
bool arch_state_is_compat(const struct arch_thread_state *state);
/* The same for a record; of the main thread: of the program. */
bool arch_core_is_compat(const CoreEntry *core);
/* The end of the addresses that a program may have. */
uint64_t arch_address_limit(bool compat);

/*
 * A system call that our stop interrupted must go on afterwards. Changes the state so that the call is made again from
 * its beginning. no_signals: no signal is pending, so that a plain EINTR can come only from our stop. tid: to look into
 * its code, if the number of the call is not in the registers any more.
 */
void arch_state_restart(struct arch_thread_state *state, bool no_signals, pid_t tid);
/* Only what the kernel would not restart by itself when the thread is let go: a plain EINTR of our making. */
void arch_state_restart_eintr(struct arch_thread_state *state, bool no_signals);
/* The same for a thread in a stop: whether a call has returned EINTR that may be of our making; and makes it again. */
bool arch_call_broke_off(const struct arch_thread_state *state);
int arch_make_call_again(pid_t tid, struct arch_thread_state *state); /* sets them, too */

/* Calls that return EINTR after any stop, see "Interruption of system calls and library functions by stop signals" in
 * signal(7). By their numbers in 64-bit programs, as all here. */
bool arch_call_returns_eintr(uint64_t nr);

/*
 * What the kernel answers in a call that a stop has interrupted; 0: leave it alone. Calls that tell how much time was
 * left (nanosleep) are left alone, as nobody knows it any more.
 */
int64_t arch_interrupted_answer(uint64_t nr);
/* Restore: arch_state_set(), and the other way round, so that a signal that waits interrupts the call as ever. All
 * signals of the thread are blocked, and seccomp is suspended. */
int arch_state_set_interrupted(pid_t tid, struct arch_thread_state *state);

/* A system call with a time limit that the kernel would take up by restart_syscall(2). */
struct arch_timed_wait {
	bool must_be_seen; /* its registers do not tell whether it was in the call, or was just about to make it */
	long nr, nr_again; /* its number and that of restart_syscall(2), as /proc/PID/syscall has them */
	int64_t limit_ms;  /* -1: it is at this address */
	uint64_t limit;
	uint64_t left;	  /* where the kernel has written what is left, when we stopped the thread; 0 = nowhere */
	bool short_words; /* these are two words of 32 bits instead of a struct timespec */
};

/* Where struct pt_regs of the kernel has the number of the call, its six arguments, the stack pointer; of 64-bit
 * programs. */
struct arch_call_member {
	const char *member;
	uint32_t behind; /* so many bytes */
};
#define ARCH_CALL_MEMBERS 8
extern const struct arch_call_member arch_call_members[ARCH_CALL_MEMBERS];
/* Whether it may be such a call, by what /proc/PID/syscall tells of a thread that runs. */
bool arch_may_be_limited(long nr, const uint64_t args[6], uint64_t sp);
/* Dump: whether the thread was stopped in such a call, and waits for a relative time. again: the same as
 * arch_state_restart() has made it. */
bool arch_state_timed_wait(const struct arch_thread_state *state, const struct arch_thread_state *again,
			   struct arch_timed_wait *ret);
/* Such a call was seen: a thread that is let go again takes it up, if that does not stand in its registers already. */
void arch_state_resume_wait(struct arch_thread_state *state);
/*
 * Restore: a thread whose state is to make such a call makes it, for that time at most, and is interrupted in it at
 * once: the kernel then knows when it is to end, and the state is that of a thread that was interrupted. instruction,
 * sp: as for arch_remote_prepare(); room: a struct timespec over there, ret_room here. If the call returns at once the
 * state stays as it was. The thread must be brought to another stop.
 */
int arch_wait_again(pid_t tid, struct arch_thread_state *state, uint64_t instruction, uint64_t sp, uint64_t room,
		    void *room_here, uint64_t left_ns);

uint64_t arch_state_ip(const struct arch_thread_state *state);
uint64_t arch_state_sp(const struct arch_thread_state *state);
void arch_state_set_ip(struct arch_thread_state *state, uint64_t ip);

/* Fills core->mtype and core->thread_info (clear_tid_addr excepted), which points into the state. Refuses what the
 * record cannot hold. */
int arch_state_to_core(const struct arch_thread_state *state, CoreEntry *core, struct pool *pool);
/* Checks the record; -EINVAL for a garbled one, -EOPNOTSUPP for features that this CPU lacks. */
int arch_state_from_core(const CoreEntry *core, struct pool *pool, struct arch_thread_state **ret);

/* The address of set_tid_address(2) in a record that arch_state_to_core() has filled or arch_state_from_core() has
 * checked. */
uint64_t *arch_core_tid_address(CoreEntry *core);

/* Sends a stopped thread to address entry with the slot as argument, on the given stack. */
int arch_enter(pid_t tid, const struct arch_thread_state *home, uint64_t entry, uint64_t slot, uint64_t stack_top);

/* A signal frame that brings a thread home by rt_sigreturn(2). address: where it will lie over there; returns the
 * address of the ucontext in it. */
size_t arch_frame_size(const struct arch_thread_state *state);
uint64_t arch_frame_write(const struct arch_thread_state *state, uint64_t sigmask, void *to, uint64_t address);

/*
 * The same for a thread that calls "system call; return" of its program with the stack pointer that is returned: it
 * comes by "rt_sigreturn" of its program, at the given address.
 */
uint64_t arch_call_frame_write(const struct arch_thread_state *state, uint64_t sigmask, uint64_t sigreturn, void *to,
			       uint64_t address);

/*
 * One system call made by a stopped thread at the given system call instruction, with this stack pointer: prepare, run
 * and wait until it stands at the entry, again until it stands behind the call, result. Its registers are foreign then:
 * the caller puts them back. -ETIMEDOUT: it does not stand still, and goes on with the call as soon as it can. A
 * SIGSTOP for the process that comes on the way is put into *lost_stop.
 */
int arch_remote_prepare(pid_t tid, const struct arch_thread_state *home, uint64_t instruction, uint64_t sp, long nr,
			const uint64_t args[6]);
/* The same at an instruction of its own program, which may be a 32-bit one; nr is the same for both. back: where it is
 * to return to, should nobody catch it, if calls find that in a register; 0 = nowhere. */
int arch_remote_prepare_own(pid_t tid, const struct arch_thread_state *home, uint64_t instruction, uint64_t sp,
			    uint64_t back, long nr, const uint64_t args[6]);
/* It stands at the entry of that call. */
int arch_remote_entered(pid_t tid, long nr);
int arch_remote_run(pid_t tid);
int arch_remote_wait(pid_t tid, const struct deadline *deadline, int *lost_stop);
int arch_remote_result(pid_t tid, int64_t *ret);
/* All of it, for a call that may wait: it is interrupted at once. */
int arch_remote_interrupted(pid_t tid, int64_t *ret);

/* The thread, at the entry of a system call, will not make it: it goes on to the exit at once. */
int arch_skip_syscall(pid_t tid);

/* Machine code to look for in a program: "system call; return" and "rt_sigreturn". */
struct arch_gadget {
	const uint8_t *code;
	size_t size;
};
struct arch_gadgets {
	struct arch_gadget syscall_ret, sigreturn[2];
};
const struct arch_gadgets *arch_gadgets_of(const struct arch_thread_state *home);
const struct arch_gadgets *arch_gadgets_native(void); /* of programs like criu itself */
