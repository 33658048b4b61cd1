/* SPDX-License-Identifier: LGPL-2.1-only */
/* What is different in 32-bit mode: numbers of system calls, and where they stand in a program; thread areas. */
#include "arch_compat.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "arch_state.h"
#include "base/array.h"
#include "base/fail.h"

#define SOCKETCALL 102
#define IPC	   117

struct same_call {
	int16_t ia32, native;
};

/* A number of x86-64 that is there several times: the first one is used for calls of ours. */
static const struct same_call calls[] = {
	{ 3, __NR_read },
	{ 4, __NR_write },
	{ 6, __NR_close },
	{ 7, __NR_wait4 }, /* waitpid */
	{ 29, __NR_pause },
	{ 82, __NR_select }, /* with one argument */
	{ 91, __NR_munmap },
	{ 114, __NR_wait4 },
	{ 120, __NR_clone }, /* as far as its third argument */
	{ 142, __NR_select },
	{ 143, __NR_flock },
	{ 145, __NR_readv },
	{ 146, __NR_writev },
	{ IA32_NANOSLEEP, __NR_nanosleep },
	{ IA32_POLL, __NR_poll },
	{ 177, __NR_rt_sigtimedwait },
	{ 192, __NR_mmap }, /* mmap2: the offset counts pages */
	{ IA32_FUTEX, __NR_futex },
	{ 247, __NR_io_getevents },
	{ 256, __NR_epoll_wait },
	{ IA32_CLOCK_NANOSLEEP, __NR_clock_nanosleep },
	{ 279, __NR_mq_timedsend },
	{ 280, __NR_mq_timedreceive },
	{ 284, __NR_waitid },
	{ 308, __NR_pselect6 },
	{ 309, __NR_ppoll },
	{ 319, __NR_epoll_pwait },
	{ 337, __NR_recvmmsg },
	{ 345, __NR_sendmmsg },
	{ 356, __NR_memfd_create },
	{ 362, __NR_connect },
	{ 364, __NR_accept4 },
	{ 369, __NR_sendto },
	{ 370, __NR_sendmsg },
	{ 371, __NR_recvfrom },
	{ 372, __NR_recvmsg },
	{ 385, 333 }, /* io_pgetevents */
	{ 400, __NR_msgsnd },
	{ 401, __NR_msgrcv },
	{ IA32_CLOCK_NANOSLEEP_TIME64, __NR_clock_nanosleep },
	{ 413, __NR_pselect6 },
	{ 414, __NR_ppoll },
	{ 416, 333 },
	{ 417, __NR_recvmmsg },
	{ 418, __NR_mq_timedsend },
	{ 419, __NR_mq_timedreceive },
	{ 420, __NR_semtimedop },
	{ 421, __NR_rt_sigtimedwait },
	{ IA32_FUTEX_TIME64, __NR_futex },
	{ 436, 436 }, /* close_range */
	{ 441, 441 }, /* epoll_pwait2 */
};

/* By their first argument, linux/net.h and linux/ipc.h. */
static const struct same_call socket_calls[] = {
	{ 3, __NR_connect },  { 5, __NR_accept },    { 9, __NR_sendto },    { 10, __NR_recvfrom },
	{ 11, __NR_sendto },  { 12, __NR_recvfrom }, { 16, __NR_sendmsg },  { 17, __NR_recvmsg },
	{ 18, __NR_accept4 }, { 19, __NR_recvmmsg }, { 20, __NR_sendmmsg },
};
static const struct same_call ipc_calls[] = {
	{ 1, __NR_semop }, { 4, __NR_semtimedop }, { 11, __NR_msgsnd }, { 12, __NR_msgrcv }
};

#define INT_80_BEHIND 4 /* arch_start.S */

static int64_t find_native(const struct same_call *pairs, size_t n, int64_t ia32)
{
	for (size_t i = 0; i < n; i++)
		if (pairs[i].ia32 == ia32)
			return pairs[i].native;
	return -1;
}

int64_t compat_native_call(const struct user_regs_struct *regs, int64_t nr)
{
	if (nr == SOCKETCALL)
		return find_native(socket_calls, ARRAY_SIZE(socket_calls), (int32_t)regs->rbx);
	if (nr == IPC)
		return find_native(ipc_calls, ARRAY_SIZE(ipc_calls), (int32_t)regs->rbx & 0xffff);
	return find_native(calls, ARRAY_SIZE(calls), nr);
}

static void set_arguments(struct user_regs_struct *regs, long nr, const uint64_t args[6])
{
	regs->rax = (unsigned long long)nr;
	regs->rbx = args[0];
	regs->rcx = args[1];
	regs->rdx = args[2];
	regs->rsi = args[3];
	regs->rdi = args[4];
	regs->rbp = args[5];
}

int compat_set_call(struct user_regs_struct *regs, long native, const uint64_t args[6])
{
	size_t i = 0;

	while (i < ARRAY_SIZE(calls) && calls[i].native != native)
		i++;
	if (i == ARRAY_SIZE(calls))
		return refuse(EOPNOTSUPP, "system call %ld cannot be made in a 32-bit program", native);
	set_arguments(regs, calls[i].ia32, args);
	if (native == __NR_mmap)
		regs->rbp /= 4096;
	return 0;
}

int compat_remote_prepare(pid_t tid, const struct arch_thread_state *home, uint64_t instruction, uint64_t sp, long nr,
			  const uint64_t args[6])
{
	struct user_regs_struct regs = home->general;

	set_arguments(&regs, nr, args);
	regs.cs = CS_64;
	regs.rip = instruction + INT_80_BEHIND;
	regs.rsp = sp;
	regs.orig_rax = (unsigned long long)-1;
	return ptrace(PTRACE_SETREGS, tid, NULL, &regs) < 0 ? fail_errno("setting the registers of thread %d", tid) : 0;
}

/* --- code --- */

#define CALL_SIZE 2  /* int $0x80 */
#define NEARBY	  48 /* bytes between the number of a call and the jump into the vdso that makes it */

static bool read_memory(pid_t pid, uint64_t address, void *to, size_t size)
{
	struct iovec local = { to, size }, remote = { (void *)address, size };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

bool compat_stands_before_call(pid_t pid, const struct user_regs_struct *regs)
{
	uint8_t code[CALL_SIZE];

	return read_memory(pid, regs->rip, code, sizeof(code)) && code[0] == 0xcd && code[1] == 0x80;
}

/* Those that the kernel takes up again by restart_syscall(2). */
static bool is_taken_up_again(uint32_t nr)
{
	switch (nr) {
	case IA32_NANOSLEEP:
	case IA32_POLL:
	case IA32_FUTEX:
	case IA32_CLOCK_NANOSLEEP:
	case IA32_CLOCK_NANOSLEEP_TIME64:
	case IA32_FUTEX_TIME64:
		return true;
	}
	return false;
}

/* The last "mov $NUMBER, %eax" of such a call. */
static int64_t find_number(const uint8_t *code, size_t size)
{
	for (size_t at = size - 5; at < size; at--) {
		uint32_t nr;

		memcpy(&nr, code + at + 1, sizeof(nr));
		if (code[at] == 0xb8 && is_taken_up_again(nr))
			return nr;
	}
	return -1;
}

int64_t compat_number_from_code(pid_t pid, const struct user_regs_struct *regs)
{
	uint32_t stack[4];
	uint8_t code[NEARBY];
	int64_t nr = -1;

	/* The program makes the call itself. */
	if (read_memory(pid, regs->rip - CALL_SIZE - sizeof(code), code, sizeof(code)))
		nr = find_number(code, sizeof(code));
	/* __kernel_vsyscall makes it, with three registers on the stack. */
	if (nr < 0 && read_memory(pid, regs->rsp, stack, sizeof(stack)) &&
	    read_memory(pid, stack[3] - sizeof(code), code, sizeof(code)))
		nr = find_number(code, sizeof(code));
	return nr;
}

/* --- thread areas --- */

int compat_read_tls(pid_t tid, struct user_desc tls[TLS_ENTRIES])
{
	for (int i = 0; i < TLS_ENTRIES; i++) {
		memset(&tls[i], 0, sizeof(tls[i]));
		if (ptrace(PTRACE_GET_THREAD_AREA, tid, (void *)(long)(TLS_FIRST + i), &tls[i]) < 0)
			return fail_errno("reading the thread areas of thread %d", tid);
	}
	return 0;
}

int compat_write_tls(pid_t tid, const struct user_desc tls[TLS_ENTRIES])
{
	for (int i = 0; i < TLS_ENTRIES; i++)
		if (ptrace(PTRACE_SET_THREAD_AREA, tid, (void *)(long)(TLS_FIRST + i), &tls[i]) < 0)
			return fail_errno("setting thread area %d of thread %d", TLS_FIRST + i, tid);
	return 0;
}
