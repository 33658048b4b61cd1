/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * System calls made from outside, and those that our stops interrupt. Before a thread stops within the delivery of
 * signals the kernel has already brought it back in front of a call that is to be made again (do_signal() of
 * arch/arm64/kernel/signal.c), and tells nobody that there was one.
 *
 * In a stop at a system call x7 is not the thread's: it tells the entry from the exit, and what is written to it is
 * lost. So x7 must be right before the call is made.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arch_regs.h"
#include "arch_state.h"
#include "base/fail.h"

#define CODE_CALL 0xd4000001u /* svc #0 */

/* svc #0; ret */
static const uint8_t code_syscall_ret[] = { 0x01, 0x00, 0x00, 0xd4, 0xc0, 0x03, 0x5f, 0xd6 };
/* mov x8, #139; svc #0, and with w8 */
static const uint8_t code_sigreturn_64[] = { 0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4 };
static const uint8_t code_sigreturn_32[] = { 0x68, 0x11, 0x80, 0x52, 0x01, 0x00, 0x00, 0xd4 };

#define GADGET(code)                   \
	{                              \
		(code), sizeof((code)) \
	}

const struct arch_gadgets *arch_gadgets_native(void)
{
	static const struct arch_gadgets gadgets = {
		GADGET(code_syscall_ret),
		{ GADGET(code_sigreturn_64), GADGET(code_sigreturn_32) },
	};

	return &gadgets;
}

const struct arch_gadgets *arch_gadgets_of(const struct arch_thread_state *home)
{
	return arch_gadgets_native();
}

uint64_t arch_state_ip(const struct arch_thread_state *state)
{
	return state->general.pc;
}

uint64_t arch_state_sp(const struct arch_thread_state *state)
{
	return state->general.sp;
}

void arch_state_set_ip(struct arch_thread_state *state, uint64_t ip)
{
	regs_go_to(&state->general, ip);
}

static int read_result(pid_t tid, int64_t *ret)
{
	struct user_pt_regs regs;
	struct iovec iov = { &regs, sizeof(regs) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov) < 0)
		return fail_errno("reading the registers of thread %d", tid);
	*ret = (int64_t)regs.regs[0];
	return 0;
}

int state_set_call(pid_t tid, int nr)
{
	struct iovec iov = { &nr, sizeof(nr) };

	return ptrace(PTRACE_SETREGSET, tid, (long)SET_SYSTEM_CALL, &iov) < 0 ? -errno : 0;
}

/* --- calls that were interrupted --- */

static bool read_code(pid_t pid, uint64_t address, uint32_t *to, size_t n)
{
	struct iovec local = { to, n * sizeof(*to) }, remote = { (void *)address, n * sizeof(*to) };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)(n * sizeof(*to));
}

bool code_is_call(pid_t pid, uint64_t address)
{
	uint32_t code;

	return read_code(pid, address, &code, 1) && code == CODE_CALL;
}

static bool broke_off(const struct arch_thread_state *state)
{
	const struct user_pt_regs *regs = &state->general;

	return state->tid && (int64_t)regs->regs[0] == -EINTR && arch_call_returns_eintr(regs->regs[8]) &&
	       code_is_call(state->tid, regs->pc - CALL_SIZE);
}

/*
 * The first argument: its register holds the result. The kernel keeps it, and shows it in /proc as soon as the thread
 * is said to be in a call.
 */
static int read_first_argument(pid_t tid, uint64_t nr, uint64_t *ret)
{
	unsigned long long first;
	char path[48], text[256];
	ssize_t size;
	long shown;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (state_set_call(tid, (int)nr) < 0) {
		close(fd);
		return -ESRCH;
	}
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	(void)state_set_call(tid, -1);
	if (size <= 0)
		return -EIO;
	text[size] = '\0';
	if (sscanf(text, "%ld 0x%llx", &shown, &first) != 2 || (uint64_t)shown != nr)
		return -ENOENT;
	*ret = first;
	return 0;
}

static int make_again(struct arch_thread_state *state)
{
	struct user_pt_regs *regs = &state->general;
	uint64_t first;

	TRY(read_first_argument(state->tid, regs->regs[8], &first));
	regs->regs[0] = first;
	regs_go_to(regs, regs->pc - CALL_SIZE);
	return 0;
}

void arch_state_restart_eintr(struct arch_thread_state *state, bool no_signals)
{
	if (no_signals && broke_off(state))
		(void)make_again(state); /* then it is told of the interruption */
}

bool arch_call_broke_off(const struct arch_thread_state *state)
{
	return broke_off(state);
}

int arch_make_call_again(pid_t tid, struct arch_thread_state *state)
{
	return make_again(state) == 0 ? regs_set(tid, &state->general) : 0;
}

/* A call that was stopped for the second time is a restart_syscall(2); its own number is in the instruction that loaded
 * it, mov x8, #number or mov w8, #number. */
static int64_t number_from_code(pid_t tid, uint64_t pc)
{
	uint32_t code[16];
	size_t n = sizeof(code) / sizeof(code[0]);

	if (!read_code(tid, pc - sizeof(code), code, n))
		return -1;
	while (n--)
		if ((code[n] & 0x7fe0001f) == 0x52800008)
			return code[n] >> 5 & 0xffff;
	return -1;
}

void arch_state_restart(struct arch_thread_state *state, bool no_signals, pid_t tid)
{
	struct user_pt_regs *regs = &state->general;
	int64_t nr;

	if (regs->regs[8] == __NR_restart_syscall && code_is_call(tid, regs->pc)) {
		nr = number_from_code(tid, regs->pc);
		if (nr >= 0) {
			regs->regs[8] = (uint64_t)nr;
		} else {
			regs->regs[0] = (uint64_t)-EINTR;
			regs_go_to(regs, regs->pc + CALL_SIZE);
		}
		return;
	}
	arch_state_restart_eintr(state, no_signals);
}

/* --- threads sent elsewhere --- */

int arch_enter(pid_t tid, const struct arch_thread_state *home, uint64_t entry, uint64_t slot, uint64_t stack_top)
{
	struct user_pt_regs regs = home->general;

	regs_go_to(&regs, entry);
	regs.regs[0] = slot;
	regs.sp = stack_top;
	return regs_set(tid, &regs);
}

int arch_skip_syscall(pid_t tid)
{
	int error = state_set_call(tid, -1);

	return error < 0 ? fail(-error, "taking a system call back from thread %d", tid) : 0;
}

static struct user_pt_regs registers_for(const struct arch_thread_state *home, uint64_t instruction, uint64_t sp,
					 long nr, const uint64_t args[6])
{
	struct user_pt_regs regs = home->general;

	regs_go_to(&regs, instruction);
	regs.sp = sp;
	memcpy(regs.regs, args, 6 * sizeof(args[0]));
	regs.regs[8] = (uint64_t)nr;
	return regs;
}

int arch_remote_prepare(pid_t tid, const struct arch_thread_state *home, uint64_t instruction, uint64_t sp, long nr,
			const uint64_t args[6])
{
	struct user_pt_regs regs = registers_for(home, instruction, sp, nr, args);

	return regs_set(tid, &regs);
}

int arch_remote_prepare_own(pid_t tid, const struct arch_thread_state *home, uint64_t instruction, uint64_t sp,
			    uint64_t back, long nr, const uint64_t args[6])
{
	struct user_pt_regs regs = registers_for(home, instruction, sp, nr, args);

	if (back)
		regs.regs[30] = back;
	return regs_set(tid, &regs);
}

/* The kernel takes a thread that is sent to the very call in which it was stopped for one that takes it up again, by
 * restart_syscall(2). */
int arch_remote_entered(pid_t tid, long nr)
{
	int error = state_set_call(tid, (int)nr);

	return error < 0 ? fail(-error, "choosing a system call of thread %d", tid) : 0;
}

int arch_remote_result(pid_t tid, int64_t *ret)
{
	return read_result(tid, ret);
}
