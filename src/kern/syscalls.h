/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Numbers and structures of the kernel's interface that the headers of Linux 6.1 (Debian 12) lack. The one place for
 * them; with the version that brought each. Include it after system headers.
 */
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>

/* PAGEMAP_SCAN on /proc/PID/pagemap, since 6.7. */
#ifndef PAGEMAP_SCAN
struct page_region {
	uint64_t start, end; /* bytes */
	uint64_t categories; /* PAGE_IS_.. */
};

struct pm_scan_arg {
	uint64_t size, flags;
	uint64_t start, end;
	uint64_t walk_end; /* out: where the scan stopped */
	uint64_t vec, vec_len;
	uint64_t max_pages; /* 0 = no limit */
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define PAGEMAP_SCAN	      _IOWR('f', 16, struct pm_scan_arg)
#define PAGE_IS_WPALLOWED     (1 << 0)
#define PAGE_IS_WRITTEN	      (1 << 1)
#define PAGE_IS_FILE	      (1 << 2)
#define PAGE_IS_PRESENT	      (1 << 3)
#define PAGE_IS_SWAPPED	      (1 << 4)
#define PAGE_IS_PFNZERO	      (1 << 5)
#define PAGE_IS_HUGE	      (1 << 6)
#define PAGE_IS_SOFT_DIRTY    (1 << 7)
#define PM_SCAN_WP_MATCHING   (1 << 0)
#define PM_SCAN_CHECK_WPASYNC (1 << 1)
#endif
#ifndef PAGE_IS_GUARD
#define PAGE_IS_GUARD (1 << 8) /* 6.15 */
#endif

/* userfaultfd(2) */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1 /* 5.11 */
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13) /* 6.4 */
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15) /* 6.7 */
#endif

/* nf_tables: attributes of sets that can only be read, 6.16. Constants of an enum in newer headers */
#define NFT_SET_ATTRIBUTE_TYPE	19 /* NFTA_SET_TYPE: how the kernel keeps it */
#define NFT_SET_ATTRIBUTE_COUNT 20 /* NFTA_SET_COUNT */

/* madvise(2) */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* 6.13 */
#define MADV_GUARD_REMOVE  103
#endif

/* mseal(2), 6.10 */
#ifndef __NR_mseal
#define __NR_mseal 462
#endif

/* mmap(2) */
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08 /* 6.11 */
#endif

/* Seals of a memfd, F_ADD_SEALS of fcntl(2) */
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020 /* 6.3 */
#endif

/* pidfd_open(2) */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* 6.9 */
#endif

/* How an epoll file polls devices: struct epoll_params of linux/eventpoll.h, 6.9 */
struct busy_poll {
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer, pad;
};

#define SET_BUSY_POLL _IOW(0x8A, 0x01, struct busy_poll)
#define GET_BUSY_POLL _IOR(0x8A, 0x02, struct busy_poll)

/* mount(2) */
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256 /* 5.10 */
#endif

/* memfd_create(2) */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u /* 6.3 */
#define MFD_EXEC	0x0010u
#endif

/* prctl(2) */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE		 65 /* 6.3 */
#define PR_GET_MDWE		 66
#define PR_MDWE_REFUSE_EXEC_GAIN (1ul << 0)
#define PR_MDWE_NO_INHERIT	 (1ul << 1) /* 6.6 */
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67 /* 6.4 */
#define PR_GET_MEMORY_MERGE 68
#endif
#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED (1 << 1) /* 6.18 */
#endif
#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED (1 << 1) /* 6.18 */
#endif
#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS	77 /* 6.15 */
#define PR_TIMER_CREATE_RESTORE_IDS_OFF 0
#define PR_TIMER_CREATE_RESTORE_IDS_ON	1
#define PR_TIMER_CREATE_RESTORE_IDS_GET 2
#endif

/* ptrace(2) */
#ifndef PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG 0x4210 /* 6.4 */
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211
struct ptrace_sud_config {
	uint64_t mode, selector, offset, len;
};
#endif

/* pidfd_open(2): the descriptor is of a thread. */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* 6.9 */
#endif

/* fcntl(2): are two descriptors of this process the same open file? */
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY (1024 + 3) /* 6.10 */
#endif

/* io_uring_setup(2) and io_uring_register(2) */
#ifndef IORING_SETUP_NO_MMAP
#define IORING_SETUP_NO_MMAP		(1u << 14) /* 6.5 */
#define IORING_SETUP_REGISTERED_FD_ONLY (1u << 15) /* 6.5 */
#endif
#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1u << 16) /* 6.6 */
#endif
#ifndef IORING_SETUP_HYBRID_IOPOLL
#define IORING_SETUP_HYBRID_IOPOLL (1u << 17) /* 6.13 */
#endif
#ifndef IORING_SETUP_CQE_MIXED
#define IORING_SETUP_CQE_MIXED (1u << 18) /* 6.18 */
#endif
#ifndef IORING_MSG_RING_FLAGS_PASS
#define IORING_MSG_RING_FLAGS_PASS (1u << 1) /* 6.3 */
#endif
#ifndef IORING_REGISTER_CLOCK
#define IORING_REGISTER_CLOCK 29 /* 6.12; so here as a macro, though it is a constant of an enum */
#endif
#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE (1u << 4) /* 6.10 */
#endif
#ifndef IORING_OFF_PBUF_RING
#define IORING_OFF_PBUF_RING  0x80000000ull /* 6.4 */
#define IORING_OFF_PBUF_SHIFT 16
#endif
#define URING_READ_MULTISHOT	49	   /* IORING_OP_READ_MULTISHOT, 6.7: a constant of an enum in newer headers */
#define URING_EPOLL_WAIT	59	   /* IORING_OP_EPOLL_WAIT, 6.15 */
#define URING_TIMEOUT_MULTISHOT (1u << 6)  /* IORING_TIMEOUT_MULTISHOT, 6.4 */
#define URING_RECV_LIMITED	(1u << 12) /* the kernel's own flag of a RECV that goes on, but not forever; 6.17 */
#define URING_PBUF_MMAP		1 /* IOU_PBUF_RING_MMAP, 6.4: a constant of an enum in newer headers, as are the next ones */
#define URING_PBUF_INC		2 /* IOU_PBUF_RING_INC, 6.12 */
struct uring_pbuf {		  /* struct io_uring_buf_reg of 6.18 */
	uint64_t address;
	uint32_t entries;
	uint16_t group, flags;
	uint32_t min_left, reserved[5];
};
struct uring_clock { /* struct io_uring_clock_register */
	uint32_t clock, reserved[3];
};
