/* SPDX-License-Identifier: LGPL-2.1-only */
/* Experiments with what only recent kernels have, and tasks that used it cannot be restored without. */
#include "kern/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/page.h"
#include "kern/syscalls.h"

/* By the plain system calls, as a restored task makes them. -errno. */
static long map_page(int flags)
{
	long address = syscall(SYS_mmap, NULL, page_size(), PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	return address < 0 ? -errno : address;
}

static int try_guard(void)
{
	long page = map_page(MAP_PRIVATE);

	if (page < 0)
		return (int)page;
	return syscall(SYS_madvise, page, page_size(), MADV_GUARD_INSTALL) == 0 ? 1 : probe_failed();
}

int probe_guard_install(void)
{
	return probe_in_child(try_guard);
}

/* What is sealed cannot be unmapped any more. */
static int try_seal(void)
{
	long page = map_page(MAP_PRIVATE);

	if (page < 0)
		return (int)page;
	return syscall(__NR_mseal, page, page_size(), 0) == 0 ? 1 : probe_failed();
}

int probe_mseal(void)
{
	return probe_in_child(try_seal);
}

static int try_droppable(void)
{
	return map_page(MAP_DROPPABLE) >= 0 ? 1 : probe_failed();
}

int probe_map_droppable(void)
{
	return probe_in_child(try_droppable);
}

int probe_memfd_exec_seal(void)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_memfd_create, "probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return probe_failed();
	return fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC) == 0 ? 1 : probe_failed();
}

static int try_merge(void)
{
	return prctl(PR_SET_MEMORY_MERGE, 1L, 0L, 0L, 0L) == 0 ? 1 : probe_failed();
}

int probe_memory_merge(void)
{
	return probe_in_child(try_merge);
}

static int try_mdwe(void)
{
	return prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0L, 0L, 0L) == 0 ? 1 : probe_failed();
}

int probe_mdwe(void)
{
	return probe_in_child(try_mdwe);
}

static int try_thp_flags(void)
{
	return prctl(PR_SET_THP_DISABLE, 1L, PR_THP_DISABLE_EXCEPT_ADVISED, 0L, 0L) == 0 ? 1 : probe_failed();
}

int probe_thp_disable_flags(void)
{
	return probe_in_child(try_thp_flags);
}

int probe_pidfd_thread(void)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, syscall(SYS_gettid), PIDFD_THREAD);

	return fd >= 0 ? 1 : probe_failed();
}

int probe_epoll_busy_poll(void)
{
	AUTO_CLOSE int fd = epoll_create1(EPOLL_CLOEXEC);
	struct busy_poll poll;

	if (fd < 0)
		return -errno;
	return ioctl(fd, GET_BUSY_POLL, &poll) == 0 ? 1 : probe_failed();
}
