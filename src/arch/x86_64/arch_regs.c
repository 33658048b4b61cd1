/* SPDX-License-Identifier: LGPL-2.1-only */
/* x86-64 registers through ptrace; system calls made from outside. */
#include "arch_regs.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch_state.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/thread-wait.h"

static const uint8_t code_syscall_ret[] = { 0x0f, 0x05, 0xc3 };
static const uint8_t code_sigreturn_64[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 }; /* mov $15, %rax; syscall */
static const uint8_t code_sigreturn_32[] = { 0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05 };		    /* mov $15, %eax; syscall */
/* __kernel_vsyscall and __kernel_rt_sigreturn of the 32-bit vdso: int $0x80; pop %ebp; pop %edx; pop %ecx; ret */
static const uint8_t code_compat_syscall_ret[] = { 0xcd, 0x80, 0x5d, 0x5a, 0x59, 0xc3 };
static const uint8_t code_compat_sigreturn[] = { 0xb8, 0xad, 0, 0, 0, 0xcd, 0x80 }; /* mov $173, %eax; int $0x80 */

#define GADGET(code)                   \
	{                              \
		(code), sizeof((code)) \
	}

static const struct arch_gadgets native_gadgets = {
	GADGET(code_syscall_ret),
	{ GADGET(code_sigreturn_64), GADGET(code_sigreturn_32) },
};
static const struct arch_gadgets compat_gadgets = {
	GADGET(code_compat_syscall_ret),
	{ GADGET(code_compat_sigreturn), GADGET(code_compat_sigreturn) },
};

const struct arch_gadgets *arch_gadgets_native(void)
{
	return &native_gadgets;
}

const struct arch_gadgets *arch_gadgets_of(const struct arch_thread_state *home)
{
	return state_is_compat(home) ? &compat_gadgets : &native_gadgets;
}

#define XSTATE_MAX (64 * 1024) /* AMX needs 11 KiB */

/* In 32-bit mode as well: the form is that of the caller's program. */
static int get_general(pid_t tid, struct user_regs_struct *regs)
{
	if (ptrace(PTRACE_GETREGS, tid, NULL, regs) < 0)
		return fail_errno("reading the registers of thread %d", tid);
	return 0;
}

static int set_general(pid_t tid, const struct user_regs_struct *regs)
{
	if (ptrace(PTRACE_SETREGS, tid, NULL, regs) < 0)
		return fail_errno("setting the registers of thread %d", tid);
	return 0;
}

int arch_state_get_extended(pid_t tid, struct pool *pool, struct arch_thread_state *state)
{
	static __thread uint8_t area[XSTATE_MAX] __attribute__((aligned(64)));
	struct iovec iov = { area, sizeof(area) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &iov) < 0)
		return fail_errno("reading the extended registers of thread %d", tid);
	state->xstate_size = iov.iov_len;
	state->xstate = pool_copy(pool, area, iov.iov_len);
	return state_is_compat(state) ? compat_read_tls(tid, state->tls) : 0;
}

int arch_state_get(pid_t tid, struct pool *pool, struct arch_thread_state **ret)
{
	struct user_regs_struct regs;

	TRY(get_general(tid, &regs));
	*ret = pool_new(pool, struct arch_thread_state);
	(*ret)->general = regs;
	return arch_state_get_extended(tid, pool, *ret);
}

struct arch_thread_state *arch_state_get_general(pid_t tid, struct pool *pool)
{
	struct arch_thread_state *state = pool_new(pool, struct arch_thread_state);

	return ptrace(PTRACE_GETREGS, tid, NULL, &state->general) == 0 ? state : NULL;
}

struct arch_thread_state *arch_state_copy(const struct arch_thread_state *state, struct pool *pool)
{
	return pool_copy(pool, state, sizeof(*state));
}

int arch_state_set_general(pid_t tid, const struct arch_thread_state *state)
{
	return set_general(tid, &state->general);
}

int arch_state_set(pid_t tid, const struct arch_thread_state *state)
{
	if (state_is_compat(state))
		TRY(compat_write_tls(tid, state->tls));
	TRY(set_general(tid, &state->general));
	return arch_state_set_extended(tid, state);
}

int arch_state_set_extended(pid_t tid, const struct arch_thread_state *state)
{
	struct iovec iov = { (void *)state->xstate, state->xstate_size };

	if (ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &iov) < 0)
		return fail_errno("setting the extended registers of thread %d", tid);
	return 0;
}

bool arch_state_is_compat(const struct arch_thread_state *state)
{
	return state_is_compat(state);
}

uint64_t arch_address_limit(bool compat)
{
	return compat ? 0xffffe000 : 0x7ffffffff000; /* IA32_PAGE_OFFSET; TASK_SIZE of 47-bit address spaces */
}

uint64_t arch_state_ip(const struct arch_thread_state *state)
{
	return state->general.rip;
}

uint64_t arch_state_sp(const struct arch_thread_state *state)
{
	return state->general.rsp;
}

void arch_state_set_ip(struct arch_thread_state *state, uint64_t ip)
{
	state->general.rip = ip;
}

/* What the kernel keeps to itself in a stopped thread: include/linux/errno.h. */
enum { KERNEL_ERESTARTSYS = 512, KERNEL_ERESTARTNOINTR, KERNEL_ERESTARTNOHAND, KERNEL_ERESTART_RESTARTBLOCK = 516 };

static void make_again(struct user_regs_struct *regs, uint64_t nr)
{
	regs->rax = nr;
	regs->rip -= 2; /* the length of the system call instruction */
	regs->orig_rax = (unsigned long long)-1;
}

/* The number of the system call it is in, negative: in none. */
static int64_t call_of(const struct user_regs_struct *regs)
{
	return regs_are_compat(regs) ? (int32_t)regs->orig_rax : (int64_t)regs->orig_rax;
}

/* The system call it is in, by its number in 64-bit programs; negative: in none, or in another one. */
static int64_t native_call(const struct user_regs_struct *regs)
{
	int64_t nr = call_of(regs);

	return nr >= 0 && regs_are_compat(regs) ? compat_native_call(regs, nr) : nr;
}

static int64_t result_of(const struct user_regs_struct *regs)
{
	return regs_are_compat(regs) ? (int32_t)regs->rax : (int64_t)regs->rax;
}

static bool broke_off(const struct user_regs_struct *regs)
{
	int64_t nr = native_call(regs);

	return nr >= 0 && result_of(regs) == -EINTR && arch_call_returns_eintr((uint64_t)nr);
}

void arch_state_restart_eintr(struct arch_thread_state *state, bool no_signals)
{
	struct user_regs_struct *regs = &state->general;

	if (no_signals && broke_off(regs))
		make_again(regs, regs->orig_rax);
}

bool arch_call_broke_off(const struct arch_thread_state *state)
{
	return broke_off(&state->general);
}

int arch_make_call_again(pid_t tid, struct arch_thread_state *state)
{
	make_again(&state->general, state->general.orig_rax);
	return set_general(tid, &state->general);
}

/* A call that was stopped for the second time is a restart_syscall(2); its own number is in the instruction that loaded
 * it. */
static int64_t number_from_code(pid_t tid, const struct user_regs_struct *regs)
{
	uint8_t code[7];
	struct iovec local = { code, sizeof(code) }, remote = { (void *)(regs->rip - sizeof(code)), sizeof(code) };
	uint32_t nr;

	if (regs_are_compat(regs))
		return compat_number_from_code(tid, regs);
	if (process_vm_readv(tid, &local, 1, &remote, 1, 0) != sizeof(code) || code[0] != 0xb8 || code[5] != 0x0f ||
	    code[6] != 0x05)
		return -1;
	memcpy(&nr, code + 1, sizeof(nr));
	return nr;
}

void arch_state_restart(struct arch_thread_state *state, bool no_signals, pid_t tid)
{
	struct user_regs_struct *regs = &state->general;
	int64_t nr = call_of(regs);

	if (nr < 0)
		return;
	switch (-result_of(regs)) {
	case KERNEL_ERESTARTSYS:
	case KERNEL_ERESTARTNOINTR:
	case KERNEL_ERESTARTNOHAND:
		make_again(regs, (uint64_t)nr);
		break;
	case KERNEL_ERESTART_RESTARTBLOCK:
		if (nr == (regs_are_compat(regs) ? IA32_RESTART_SYSCALL : __NR_restart_syscall))
			nr = number_from_code(tid, regs);
		if (nr >= 0)
			make_again(regs, (uint64_t)nr);
		else
			regs->rax = (unsigned long long)-EINTR;
		break;
	case EINTR:
		arch_state_restart_eintr(state, no_signals);
		break;
	}
}

int arch_enter(pid_t tid, const struct arch_thread_state *home, uint64_t entry, uint64_t slot, uint64_t stack_top)
{
	struct user_regs_struct regs = home->general;

	if (regs_are_compat(&regs))
		regs.cs = CS_64;
	regs.rip = entry;
	regs.rdi = slot;
	regs.rsp = stack_top;
	regs.orig_rax = (unsigned long long)-1; /* or the kernel would restart the interrupted call in our place */
	regs.eflags &= ~0x400ull;		/* direction flag */
	return set_general(tid, &regs);
}

int arch_skip_syscall(pid_t tid)
{
	struct user_regs_struct regs;

	TRY(get_general(tid, &regs));
	regs.orig_rax = (unsigned long long)-1;
	return set_general(tid, &regs);
}

static struct user_regs_struct registers_at(const struct arch_thread_state *home, uint64_t instruction, uint64_t sp)
{
	struct user_regs_struct regs = home->general;

	regs.rip = instruction;
	regs.rsp = sp;
	regs.orig_rax = (unsigned long long)-1;
	return regs;
}

int arch_remote_prepare(pid_t tid, const struct arch_thread_state *home, uint64_t instruction, uint64_t sp, long nr,
			const uint64_t args[6])
{
	struct user_regs_struct regs = registers_at(home, instruction, sp);

	if (regs_are_compat(&regs))
		regs.cs = CS_64;
	regs.rax = (unsigned long long)nr;
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.r10 = args[3];
	regs.r8 = args[4];
	regs.r9 = args[5];
	return set_general(tid, &regs);
}

int arch_remote_prepare_own(pid_t tid, const struct arch_thread_state *home, uint64_t instruction, uint64_t sp,
			    uint64_t back, long nr, const uint64_t args[6])
{
	struct user_regs_struct regs = registers_at(home, instruction, sp);

	if (!state_is_compat(home))
		return arch_remote_prepare(tid, home, instruction, sp, nr, args);
	TRY(compat_set_call(&regs, nr, args));
	return set_general(tid, &regs);
}

int arch_remote_entered(pid_t tid, long nr)
{
	return 0;
}

int arch_remote_result(pid_t tid, int64_t *ret)
{
	struct user_regs_struct regs;

	TRY(get_general(tid, &regs));
	*ret = (int64_t)regs.rax;
	return 0;
}
