/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The I/O ports of x86 that a thread may use: single ones, ioperm(2), which ptrace(2) tells, and all of them, iopl(2),
 * which shows only in the kernel's memory (io-level.c). CRIU saves neither; ours are fields that it skips.
 */
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/fail.h"
#include "object/task/part.h"
#include "object/task/thread/io-level.h"
#include "plan/plan.h"
#include "session/needs.h"

#ifdef __NR_ioperm
#define REGISTERS_IOPERM 0x201 /* NT_386_IOPERM of linux/elf.h: a bit of each port, 0: it may be used */
#define PORTS		 65536
#define LEVELS		 3

static bool may_use(const uint8_t *bitmap, size_t size, unsigned port)
{
	return port / 8 < size && !(bitmap[port / 8] >> port % 8 & 1);
}

/* The first port and the number of each range; with NULL they are only counted. */
static size_t put_ranges(const uint8_t *bitmap, size_t size, uint32_t *to)
{
	size_t n = 0;

	for (unsigned port = 0; port < PORTS; port++) {
		unsigned first = port;

		while (may_use(bitmap, size, port))
			port++;
		if (port == first)
			continue;
		if (to) {
			to[n] = first;
			to[n + 1] = port - first;
		}
		n += 2;
	}
	return n;
}

/* Nearly all threads have none: a word is enough to learn that. */
static int dump_ports(struct pool *pool, const struct thread *thread, ThreadCoreEntry *record)
{
	uint8_t bitmap[PORTS / 8];
	struct iovec iov = { bitmap, sizeof(long) };

	if (ptrace(PTRACE_GETREGSET, thread->tid, REGISTERS_IOPERM, &iov) < 0)
		return 0; /* or a kernel without I/O ports */
	iov.iov_len = sizeof(bitmap);
	if (ptrace(PTRACE_GETREGSET, thread->tid, REGISTERS_IOPERM, &iov) < 0)
		return fail_errno("reading its I/O ports");
	record->n_io_ports = put_ranges(bitmap, iov.iov_len, NULL);
	record->io_ports = pool_array(pool, uint32_t, record->n_io_ports);
	(void)put_ranges(bitmap, iov.iov_len, record->io_ports);
	return 0;
}

static int dump_permissions(const struct dump *d, struct thread *thread)
{
	ThreadCoreEntry *record = thread->core->thread_core;

	TRY(dump_ports(d->pool, thread, record));
	record->io_level = io_level_of(d, thread);
	record->has_io_level = record->io_level != 0;
	return 0;
}

static int check_permissions(const struct restore *r, struct thread *thread)
{
	const ThreadCoreEntry *record = thread->core->thread_core;

	if (record->io_level > LEVELS || record->n_io_ports % 2)
		return refuse(EINVAL, "its I/O level is %u, its ports are %zu numbers: the image is damaged",
			      record->io_level, record->n_io_ports);
	for (size_t i = 0; i < record->n_io_ports; i += 2)
		if (record->io_ports[i] >= PORTS || record->io_ports[i + 1] > PORTS - record->io_ports[i])
			return refuse(EINVAL, "it may use %u I/O ports from %u on: the image is damaged",
				      record->io_ports[i + 1], record->io_ports[i]);
	return record->io_level || record->n_io_ports ? need_kernel(r, FEATURE_ID_io_ports) : 0;
}

static int plan_permissions(struct restore *r, struct thread *thread, struct plan *plan)
{
	const ThreadCoreEntry *record = thread->core->thread_core;

	for (size_t i = 0; i < record->n_io_ports; i += 2)
		plan_syscall(plan, "allow I/O ports (CAP_SYS_RAWIO?)", __NR_ioperm, V(record->io_ports[i]),
			     V(record->io_ports[i + 1]), V(1));
	if (record->io_level)
		plan_syscall(plan, "allow all I/O ports (CAP_SYS_RAWIO?)", __NR_iopl, V(record->io_level));
	return 0;
}
#endif

const struct task_part io_ports_part = {
	.name = "io-ports",
#ifdef __NR_ioperm
	.begin = io_level_begin,
	.outside = dump_permissions,
	.check = check_permissions,
	.plan = plan_permissions,
#endif
};
