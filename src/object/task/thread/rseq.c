/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restartable sequences of a thread: a structure in its memory that the kernel keeps up to date, see rseq(2). A thread
 * that is interrupted inside a critical section goes on at the section's abort handler. The kernel does that on the way
 * back to the program, but only if the thread is still in the section: ours would be elsewhere, in the blob. So the
 * same is done here before.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "arch_regs.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/task/part.h"
#include "plan/plan.h"

/* linux/ptrace.h since 5.13, with a name that libc headers hide. */
#define PTRACE_GET_RSEQ_CONFIGURATION_ 0x420f
struct rseq_configuration {
	uint64_t address;
	uint32_t size, signature, flags, pad;
};

/* linux/rseq.h: what a program registers; the kernel's part of it, Linux 4.18. */
struct rseq_area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t section; /* address of a struct rseq_section, or 0 */
};

struct rseq_section {
	uint32_t version, flags;
	uint64_t start, length, abort;
};

#define RSEQ_AREA_MIN 32

static int move_memory(bool write, pid_t tid, uint64_t address, void *data, size_t size)
{
	struct iovec here = { data, size }, there = { (void *)(uintptr_t)address, size };
	ssize_t done =
		write ? process_vm_writev(tid, &here, 1, &there, 1, 0) : process_vm_readv(tid, &here, 1, &there, 1, 0);

	return done == (ssize_t)size ? 0 : done < 0 ? -errno : -EFAULT;
}

/*
 * Does what the kernel would do with a thread that comes back from being preempted. The stop that we made is such a
 * preemption, so this changes nothing for a program that is let go again.
 */
static int abort_section(const struct dump *d, struct thread *thread, uint64_t area_address)
{
	uint64_t section_field = area_address + offsetof(struct rseq_area, section), none = 0, ip;
	struct arch_thread_state *state = thread->dump->state;
	struct rseq_section section;
	uint64_t address;
	int error;

	error = move_memory(false, thread->tid, section_field, &address, sizeof(address));
	if (!error && address)
		error = move_memory(false, thread->tid, address, &section, sizeof(section));
	if (error)
		return fail(-error, "reading the restartable sequence at 0x%" PRIx64, section_field);
	if (!address)
		return 0;
	ip = arch_state_ip(state);
	if (ip - section.start < section.length) {
		log_debug("in a critical section at 0x%" PRIx64 ": goes to its abort handler", ip);
		arch_state_set_ip(state, section.abort);
		arch_state_set_ip(thread->dump->alone, section.abort);
		TRY(arch_state_set_general(thread->tid, state));
		TRY(arch_state_to_core(state, thread->core, d->pool));
	}
	error = move_memory(true, thread->tid, section_field, &none, sizeof(none));
	if (error)
		return fail(-error, "ending the restartable sequence at 0x%" PRIx64, section_field);
	return 0;
}

static int dump_rseq(const struct dump *d, struct thread *thread)
{
	struct rseq_configuration conf;
	RseqEntry *record;

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION_, thread->tid, sizeof(conf), &conf) < 0) {
		if (errno == EIO || errno == EINVAL)
			return 0; /* a kernel without rseq */
		return fail_errno("reading the registration of restartable sequences (Linux 5.13)");
	}
	if (!conf.address)
		return 0;
	record = pool_new(d->pool, RseqEntry);
	rseq_entry__init(record);
	record->rseq_abi_pointer = conf.address;
	record->rseq_abi_size = conf.size;
	record->signature = conf.signature;
	thread->core->thread_core->rseq_entry = record;
	return abort_section(d, thread, conf.address);
}

static int check_rseq(const struct restore *r, struct thread *thread)
{
	const RseqEntry *record = thread->core->thread_core->rseq_entry;

	if (record && record->rseq_abi_pointer &&
	    (record->rseq_abi_size < RSEQ_AREA_MIN || record->rseq_abi_pointer % RSEQ_AREA_MIN))
		return refuse(EINVAL, "restartable sequences with %u bytes at 0x%" PRIx64 ": the image is damaged",
			      record->rseq_abi_size, record->rseq_abi_pointer);
	return 0;
}

static void plan_registration(const struct thread *thread, struct plan *plan)
{
	const RseqEntry *record = thread->core->thread_core->rseq_entry;

	if (record && record->rseq_abi_pointer)
		plan_syscall(plan, "register restartable sequences", __NR_rseq, P(record->rseq_abi_pointer),
			     V(record->rseq_abi_size), V(0), V(record->signature));
}

/* From then on the kernel writes there, and the thread would wait for memory that comes late. */
static bool comes_late(const struct restore *r)
{
	return r->options->lazy_pages || r->options->on_demand;
}

static int plan_rseq(struct restore *r, struct thread *thread, struct plan *plan)
{
	if (!comes_late(r))
		plan_registration(thread, plan);
	return 0;
}

static int last_rseq(struct restore *r, struct thread *thread, struct plan *plan)
{
	if (comes_late(r))
		plan_registration(thread, plan);
	return 0;
}

/* Images of others may hold a thread inside a section: the kernel sends it to the abort handler when it runs again. */
static int settle_rseq(struct restore *r, struct thread *thread)
{
	const RseqEntry *record = thread->core->thread_core->rseq_entry;
	uint64_t section;
	int error;

	if (!record || !record->rseq_abi_pointer || !record->rseq_cs_pointer)
		return 0;
	section = record->rseq_cs_pointer;
	error = move_memory(true, thread->tid, record->rseq_abi_pointer + offsetof(struct rseq_area, section), &section,
			    sizeof(section));
	if (error)
		return fail(-error, "putting the thread back into its restartable sequence");
	return 0;
}

const struct task_part rseq_part = {
	.name = "rseq",
	.outside = dump_rseq,
	.check = check_rseq,
	.plan = plan_rseq,
	.last = last_rseq,
	.settle = settle_rseq,
};
