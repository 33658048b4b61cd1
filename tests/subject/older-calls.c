// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loaded with older-kernel.c, if OLDER_CALLS is set: a seccomp filter, so that what Linux 5.15 lacks is missing for all
 * that criu runs, also in the processes that it restores. They keep it, which is of no other use. Those that are dumped
 * are not touched: what criu has done inside of them is not filtered.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define F_ADD_SEALS_ 1033
#define LAST_CALL    448 /* process_mrelease; the numbers of newer calls are the same on each CPU */

/* Of an argument its lower half counts. */
#define LOAD_CALL      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define LOAD(n)	       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (n))
#define FAIL(error)    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define PASS	       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define JUMP(op, k, n) BPF_JUMP(BPF_JMP | (op) | BPF_K, (uint32_t)(k), 0, n) /* if not, past the next n */
#define IS(k, n)       JUMP(BPF_JEQ, k, n)

/* For the call: the argument may not be within these bounds. */
#define NOT_BETWEEN(call, n, first, last, error)                  \
	LOAD_CALL, IS(call, 4), LOAD(n), JUMP(BPF_JGE, first, 2), \
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)(last), 1, 0), FAIL(error)
#define NOT_ABOVE(call, n, last, error) NOT_BETWEEN(call, n, (last) + 1, UINT32_MAX, error)
#define NOT_BITS(call, n, bits, error)	LOAD_CALL, IS(call, 3), LOAD(n), JUMP(BPF_JSET, bits, 1), FAIL(error)
#define NOT_OPTION(call, level, first, last)                                             \
	LOAD_CALL, IS(call, 6), LOAD(1), IS(level, 4), LOAD(2), JUMP(BPF_JGE, first, 2), \
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)(last), 1, 0), FAIL(ENOPROTOOPT)
/* For the call, if its argument n is that: what the test of argument `other` finds. */
#define NOT_OF(call, n, value, test, other) \
	LOAD_CALL, IS(call, 5), LOAD(n), IS(value, 3), LOAD(other), test, FAIL(EINVAL)
/* Of the flags of mmap(2) the lowest bits are one number. */
#define NOT_DROPPABLE \
	LOAD_CALL, IS(SYS_mmap, 4), LOAD(3), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf), IS(0x08, 1), FAIL(EINVAL)
/* Commands of ioctl(2) of this type, from this number on, whatever their size is. */
#define NOT_IOCTL(type, first, last, error)                                                \
	LOAD_CALL, IS(SYS_ioctl, 5), LOAD(1), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xffff), \
		JUMP(BPF_JGE, (type) << 8 | (first), 2),                                   \
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)((type) << 8 | (last)), 1, 0), FAIL(error)

static struct sock_filter filter[] = {
	LOAD_CALL,
	JUMP(BPF_JGT, LAST_CALL, 1),
	FAIL(ENOSYS),
	NOT_BETWEEN(SYS_prctl, 0, 63, 999, EINVAL),			  /* up to PR_SCHED_CORE */
	NOT_BETWEEN(SYS_prctl, 0, 0x53564d41, 0x53564d41, EINVAL),	  /* PR_SET_VMA: 5.17 */
	NOT_BETWEEN(SYS_madvise, 2, 24, 99, EINVAL),			  /* up to MADV_POPULATE_WRITE */
	NOT_ABOVE(SYS_madvise, 2, 101, EINVAL),				  /* MADV_GUARD_INSTALL: 6.13 */
	NOT_BETWEEN(SYS_fcntl, 1, 1027, 1028, EINVAL),			  /* F_DUPFD_QUERY: 6.10 */
	NOT_BITS(SYS_pidfd_open, 1, 0200, EINVAL),			  /* PIDFD_THREAD: 6.9 */
	NOT_ABOVE(SYS_pidfd_send_signal, 3, 0, EINVAL),			  /* 6.9 */
	NOT_OF(SYS_fcntl, 1, F_ADD_SEALS_, JUMP(BPF_JSET, 0x20, 1), 2),	  /* F_SEAL_EXEC: 6.3 */
	NOT_OF(SYS_prctl, 0, PR_SET_THP_DISABLE, JUMP(BPF_JGE, 1, 1), 2), /* flags: 6.18 */
	NOT_DROPPABLE,							  /* 6.11 */
	NOT_BITS(SYS_memfd_create, 1, 0x18, EINVAL),			  /* MFD_NOEXEC_SEAL, MFD_EXEC: 6.3 */
	NOT_BITS(SYS_move_mount, 4, 0x200, EINVAL),			  /* MOVE_MOUNT_BENEATH: 6.5 */
	NOT_BITS(SYS_fanotify_init, 0, 0x1000, EINVAL),			  /* FAN_REPORT_TARGET_FID: 5.17 */
	NOT_BETWEEN(SYS_ptrace, 0, 0x4210, 0x4fff, EIO),		  /* up to PTRACE_GET_RSEQ_CONFIGURATION */
	NOT_BITS(SYS_membarrier, 0, 1 << 9, EINVAL),			  /* MEMBARRIER_CMD_GET_REGISTRATIONS: 6.3 */
	NOT_ABOVE(SYS_io_uring_register, 1, 19, EINVAL),		  /* up to IORING_REGISTER_IOWQ_MAX_WORKERS */
	NOT_IOCTL('f', 16, 17, ENOTTY),					  /* PAGEMAP_SCAN: 6.7, PROCMAP_QUERY: 6.11 */
	NOT_IOCTL(0xff, 0, 0xff, ENOTTY),				  /* of a pidfd: 6.11 */
	NOT_IOCTL(0xb7, 5, 0xff, ENOTTY),				  /* of a namespace: 6.11 */
	NOT_IOCTL(0x8a, 1, 2, ENOTTY),					  /* EPIOCSPARAMS, EPIOCGPARAMS: 6.9 */
	NOT_IOCTL(0xaa, 5, 5, EINVAL),					  /* UFFDIO_MOVE: 6.8 */
	NOT_IOCTL(0xaa, 8, 0x3e, EINVAL),				  /* UFFDIO_POISON: 6.6 */
	NOT_OPTION(SYS_getsockopt, SOL_SOCKET, 73, UINT32_MAX),		  /* up to SO_BUF_LOCK */
	NOT_OPTION(SYS_setsockopt, SOL_SOCKET, 73, UINT32_MAX),
	NOT_OPTION(SYS_getsockopt, IPPROTO_TCP, 38, UINT32_MAX), /* up to TCP_TX_DELAY */
	NOT_OPTION(SYS_setsockopt, IPPROTO_TCP, 38, UINT32_MAX),
	NOT_OPTION(SYS_getsockopt, IPPROTO_IP, 51, 63), /* IP_LOCAL_PORT_RANGE: 6.3 */
	NOT_OPTION(SYS_setsockopt, IPPROTO_IP, 51, 63),
	PASS,
};

static void __attribute__((constructor)) confine(void)
{
	const struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	/* Once is enough: programs that criu starts have it already. An ordinary user cannot. */
	if (getenv("OLDER_CALLS") && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0)
		(void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
