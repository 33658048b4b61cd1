/* SPDX-License-Identifier: LGPL-2.1-only */
/* What differs for 32-bit programs (ia32) when they are dumped and restored by a 64-bit program. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* Numbers of system calls for STEP_COMPAT, asm/unistd_32.h. */
#define ARCH_COMPAT_RT_SIGACTION    174
#define ARCH_COMPAT_SET_ROBUST_LIST 311
#define ARCH_COMPAT_GET_ROBUST_LIST 312

/* sizeof(struct compat_robust_list_head) */
#define ARCH_COMPAT_ROBUST_LENGTH 12

/* A call with the arguments (code, address) maps the vdso of 32-bit programs; asm/prctl.h. */
#define ARCH_COMPAT_VDSO_CALL __NR_arch_prctl
#define ARCH_COMPAT_VDSO_CODE 0x2002 /* ARCH_MAP_VDSO_32 */

/* get_robust_list(2) as 32-bit programs make it. -errno. */
static inline int arch_compat_get_robust_list(pid_t tid, uint64_t *ret_head, uint32_t *ret_length)
{
	uint32_t *answer = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long result;

	if (answer == MAP_FAILED)
		return -errno;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(ARCH_COMPAT_GET_ROBUST_LIST), "b"((long)tid), "c"(answer), "d"(answer + 1)
			 : "r8", "r9", "r10", "r11", "memory");
	*ret_head = answer[0];
	*ret_length = answer[1];
	munmap(answer, 4096);
	return (int)result;
}
