/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * libcompel: makes a running process do things. A stopped thread of it makes system calls for the caller
 *(compel_syscall), or runs C code of the caller, a parasite (<compel/plugins/std.h>): at once (compel_run_in_thread) or
 * as a daemon that takes commands while the rest of the process stands or runs (compel_infect, compel_rpc_call_sync).
 * compel_cure() takes everything away again.
 *
 *	compel_log_init(print_line, COMPEL_LOG_WARN);
 *	state = compel_stop_task(pid);
 *	ctl = compel_prepare(pid);
 *	compel_infect_ctx(ctl)->log_fd = STDERR_FILENO;
 *	parasite_setup_c_header(ctl);			// made by "compel hgen"
 *	compel_infect(ctl, 1, sizeof(struct my_args));
 *	args = compel_parasite_args(ctl, struct my_args);
 *	compel_rpc_call_sync(PARASITE_USER_CMDS, ctl);
 *	compel_cure(ctl);
 *	compel_resume_task(pid, state, state);
 *
 * Needed: the right to ptrace(2) the process; nothing else for processes of the caller's network namespace and without
 * seccomp filters (for those CAP_SYS_ADMIN). Linux 5.4; only x86-64, no 32-bit processes.
 *
 * Functions that return int return 0 or more, and -1 with errno when they fail, unless another way is described; a log
 * line has the details. Pointers that are returned belong to the control object. An object, and the tracees, belong to
 * the thread of the caller that has stopped them: ptrace(2).
 *
 * A failure never harms the process: it keeps its registers, its signal mask and its memory. If the caller is killed,
 * so is nothing in the process: a daemon sees its socket closed, calls parasite_cleanup(), lets the thread go on where
 * it was and takes the memory along; only if that happens in the middle of something else the memory stays mapped. Two
 * things a killed caller can break: code of its own in compel_run_at() that ends in a trap, and a process without the
 * code or the stack that the library needs for a safe system call, within the microseconds of that call (a debug line
 * tells).
 */
#ifndef COMPEL_INFECT_H
#define COMPEL_INFECT_H

#include <compel/asm/infect-types.h>
#include <compel/asm/sigframe.h>
#include <compel/common/compiler.h>
#include <compel/handle-elf.h>
#include <compel/infect-rpc.h>
#include <compel/infect-util.h>
#include <compel/ksigset.h>
#include <compel/log.h>
#include <compel/task-state.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes. */
#define PARASITE_START_AREA_MIN (4096)
#define PARASITE_STACK_SIZE	(16 << 10)
#define PARASITE_STACK_REDZONE	128
#define PARASITE_ARG_SIZE_MIN	(1 << 12)

/* --- stopping and letting go --- */

/* What /proc/PID/status says. Signal sets: bit 0 is signal 1. */
struct seize_task_status {
	unsigned long long sigpnd; /* pending for the thread */
	unsigned long long shdpnd; /* pending for the process */
	unsigned long long sigblk;
	char state; /* R S D T t Z X ... */
	int vpid;   /* in its innermost pid namespace */
	int ppid;
	int seccomp_mode; /* 0 none, 1 strict, 2 filters */
};

/* Attaches to the thread (PTRACE_SEIZE) and asks it to stop; no signal is sent. The process is not stopped, only this
 * thread of it. */
int compel_interrupt_task(int pid);

/*
 * Waits for the stop of compel_interrupt_task(). Signals that come before are delivered. get_status is asked to fill st
 * (0 = done, else it fails), with data as its last argument; free_status, unless NULL, is called before it is asked
 * again. ppid: who must be the parent, -1 = anybody. Filters of seccomp are switched off while the thread is traced.
 * Returns COMPEL_TASK_ALIVE, _STOPPED, _ZOMBIE or _DEAD; or -1, then the thread is not traced any more.
 */
int compel_wait_task(int pid, int ppid, int (*get_status)(int pid, struct seize_task_status *, void *data),
		     void (*free_status)(int pid, struct seize_task_status *, void *data), struct seize_task_status *st,
		     void *data);

/* Both. Returns a COMPEL_TASK_* or -1. */
int compel_stop_task(int pid);

/* The signal of the ptrace stop in which the thread is: SIGTRAP, or the stop signal of a stopped task. */
int compel_parse_stop_signo(int pid);

/*
 * Lets go of the thread. orig_state: what compel_stop_task() returned. state: COMPEL_TASK_ALIVE: it goes on; if it was
 * stopped by a signal, it stays so, and the signal is sent again. COMPEL_TASK_STOPPED: it gets a SIGSTOP first.
 * COMPEL_TASK_DEAD: it is killed.
 */
int compel_resume_task(pid_t pid, int orig_state, int state);
/* stop_signo: the signal to send again; 0 = SIGSTOP. */
int compel_resume_task_sig(pid_t pid, int orig_state, int state, int stop_signo);

/* --- the control object --- */

struct parasite_ctl;
struct parasite_thread_ctl;

/* Gets the registers of the thread; < 0 = failed. */
typedef int (*save_regs_t)(pid_t pid, void *arg, user_regs_struct_t *regs, user_fpregs_struct_t *fpregs);
/* Makes a frame at sigframe, which will lie at rtsigframe in the process; < 0 = failed. blkset: the signal mask. */
typedef int (*make_sigframe_t)(void *arg, struct rt_sigframe *sigframe, struct rt_sigframe *rtsigframe,
			       k_rtsigset_t *blkset);
/* Opens a file below /proc/PID, mode as in open(2); the name is a format. Returns a descriptor or a negative number. */
typedef int (*open_proc_fn)(int pid, int mode, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What the caller may change between compel_prepare() and the infection. */
struct infect_ctx {
	int sock; /* AF_UNIX, SOCK_SEQPACKET, of the network namespace of the process: daemons connect to it. Closed by
		     compel_cure() if compel_prepare() made it */

	save_regs_t save_regs;	       /* NULL: the library keeps the registers itself */
	make_sigframe_t make_sigframe; /* NULL: the library makes the frame */
	void *regs_arg;		       /* for both */

	unsigned long task_size;  /* end of the addresses of the process */
	unsigned long syscall_ip; /* address of a system call instruction in the process */
	unsigned long flags;	  /* INFECT_* */

	/* A handler for SIGCHLD that is installed while a daemon runs. The library does not need one: NULL. */
	void (*child_handler)(int, siginfo_t *, void *);
	struct sigaction orig_handler; /* what was there before */

	open_proc_fn open_proc; /* NULL: below /proc */

	int log_fd; /* for the parasite's log; stays the caller's */

	unsigned long
		remote_map_addr; /* where the parasite shall lie, a multiple of the page size; 0 = anywhere free */
};

#define INFECT_NO_MEMFD \
	(1ul << 0) /* no memfd in the process: shares memory by /proc/PID/map_files (CAP_CHECKPOINT_RESTORE) only */
#define INFECT_FAIL_CONNECT	    (1ul << 1) /* for tests: the daemon cannot connect */
#define INFECT_NO_BREAKPOINTS	    (1ul << 2) /* without effect: the library sets none */
#define INFECT_COMPATIBLE	    (1ul << 3) /* a 32-bit process: refused */
#define INFECT_X86_PTRACE_MXCSR_BUG (1ul << 4) /* without effect: for kernels before 3.17 */
#define INFECT_CORRUPT_EXTREGS	    (1ul << 5) /* for tests: spoils the extended registers before they are put back */

/* A stopped process. NULL with errno on failure. The object is freed by compel_cure() or compel_cure_local(). */
struct parasite_ctl *compel_prepare(int pid);
/* The same with an empty infect_ctx, log_fd and sock -1. */
struct parasite_ctl *compel_prepare_noctx(int pid);
struct infect_ctx *compel_infect_ctx(struct parasite_ctl *ctl);

/* The blob that shall be put into the process. All numbers are bytes from its beginning. */
struct parasite_blob_desc {
	unsigned parasite_type;
	union {
		struct {
			const void *mem;
			size_t bsize;
			unsigned long parasite_ip_off; /* entry */
			unsigned long cmd_off;	       /* variable of the command, unsigned int */
			unsigned long args_ptr_off;    /* variable of the address of the arguments */
			unsigned long got_off;
			unsigned long args_off; /* arguments, behind the GOT */
			unsigned long data_off;
			compel_reloc_t *relocs;
			unsigned int nr_relocs;
		} hdr;
	};
};

enum { COMPEL_BLOB_CHEADER = 0x1 };

struct parasite_blob_desc *compel_parasite_blob_desc(struct parasite_ctl *ctl);

/* 1, or 0 for a 32-bit process. */
int compel_mode_native(struct parasite_ctl *ctl);

/* --- infection --- */

/*
 * Maps the blob into the process and starts the daemon in its first thread. nr_threads: more than 1 if
 * compel_run_in_thread() will be used. args_size: bytes for arguments, at least PARASITE_ARG_SIZE_MIN are there. Wants
 * the blob and log_fd. If it fails everything is undone; the object must still be freed.
 */
int compel_infect(struct parasite_ctl *ctl, unsigned long nr_threads, unsigned long args_size);
int compel_infect_no_daemon(struct parasite_ctl *ctl, unsigned long nr_threads, unsigned long args_size);
int compel_start_daemon(struct parasite_ctl *ctl);
/* The first thread stands where it stood before. Fine if there is none. */
int compel_stop_daemon(struct parasite_ctl *ctl);

/* Stops the daemon, unmaps everything and frees the object, also when it fails. The process stands. */
int compel_cure(struct parasite_ctl *ctl);
/* The two halves: all that concerns the process; all that is here. */
int compel_cure_remote(struct parasite_ctl *ctl);
int compel_cure_local(struct parasite_ctl *ctl);

/* Memory shared with the parasite, zeroed at first. compel_parasite_args_s: NULL if it is smaller than args_size. */
void *compel_parasite_args_p(struct parasite_ctl *ctl);
void *compel_parasite_args_s(struct parasite_ctl *ctl, unsigned long args_size);
#define compel_parasite_args(ctl, type) ((type *)compel_parasite_args_s((ctl), sizeof(type)))

/* --- without a daemon --- */

/*
 * One system call in the first thread, which must not run a daemon. 0 when it was made: *ret is its result, -errno for
 * an error. It may block, and then this function does.
 */
int compel_syscall(struct parasite_ctl *ctl, int nr, long *ret, unsigned long arg1, unsigned long arg2,
		   unsigned long arg3, unsigned long arg4, unsigned long arg5, unsigned long arg6);

/* Another thread of the same process, stopped like the first one. NULL with errno on failure. */
struct parasite_thread_ctl *compel_prepare_thread(struct parasite_ctl *ctl, int pid);
void compel_release_thread(struct parasite_thread_ctl *tctl);
/* Runs parasite_trap_cmd(cmd, args) in the thread; returns its result, or -1 with errno when it could not be run. Also
 * while a daemon runs in the first. */
int compel_run_in_thread(struct parasite_thread_ctl *tctl, unsigned int cmd);

/* Lets the first thread run code at ip until it stops by SIGTRAP. ret_regs, unless NULL, gets its registers then; it
 * has its own ones afterwards. */
int compel_run_at(struct parasite_ctl *ctl, unsigned long ip, user_regs_struct_t *ret_regs);
/* Lets the first thread run code at addr that unmaps its own memory, until its first munmap(2) is done. */
int compel_unmap(struct parasite_ctl *ctl, unsigned long addr);

/* --- registers, as the threads will have them again --- */

k_rtsigset_t *compel_task_sigmask(struct parasite_ctl *ctl);
k_rtsigset_t *compel_thread_sigmask(struct parasite_thread_ctl *tctl);
/* Gives them to save and returns what it returns. */
int compel_get_thread_regs(struct parasite_thread_ctl *tctl, save_regs_t save, void *arg);
uint64_t compel_get_leader_sp(struct parasite_ctl *ctl);
uint64_t compel_get_leader_ip(struct parasite_ctl *ctl);
void compel_set_leader_ip(struct parasite_ctl *ctl, uint64_t v);
uint64_t compel_get_thread_sp(struct parasite_thread_ctl *tctl);
uint64_t compel_get_thread_ip(struct parasite_thread_ctl *tctl);
void compel_set_thread_ip(struct parasite_thread_ctl *tctl, uint64_t v);

/* Addresses in the process of the tops of the parasite's stacks; NULL if there is none. */
void compel_get_stack(struct parasite_ctl *ctl, void **rstack, void **r_thread_stack);

/* End of the addresses of a process, bytes. */
unsigned long compel_task_size(void);

/* --- running tracees to a place --- */

enum trace_flags {
	TRACE_ALL,
	TRACE_ENTER,
	TRACE_EXIT,
};

/*
 * Lets the stopped tracee run: to a hardware breakpoint at addr, or, without breakpoints (no_bp, or there are none), to
 * its next system call. compel_stop_on_syscall() goes on from there.
 */
int compel_stop_pie(pid_t pid, void *addr, bool no_bp);
/*
 * Runs tracees that were let go by compel_stop_pie() until so many of them stand at the exit of system call nr.
 * nr_compat: its number in 32-bit processes.
 */
int compel_stop_on_syscall(int tasks, int nr, int nr_compat);

#ifdef __cplusplus
}
#endif

#endif
