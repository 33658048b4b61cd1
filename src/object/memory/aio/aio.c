/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AIO rings, io_setup(2). The kernel keeps a place of its own where the next event goes; a new ring gets it there by as
 * many requests that are done at once. Then the unread events are put in place.
 */
#include "object/memory/aio/aio.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "kern/proc/maps.h"
#include "mm.pb-c.h"
#include "object/memory/memory.h"
#include "plan/plan.h"
#include "session/session.h"
#include "vma.pb-c.h"

#define SLOT_RING 1
#define SLOT_FD	  2
#define CPUS_SIZE 1024 /* bytes of a CPU mask, enough for 8192 */

/* Not those that sysconf(3) counts: CPUs that may be plugged in later count as well. */
unsigned aio_possible_cpus(void)
{
	char text[256], *last;

	if (file_read_text(AT_FDCWD, "/sys/devices/system/cpu/possible", text, sizeof(text)) < 0)
		return (unsigned)sysconf(_SC_NPROCESSORS_CONF);
	last = text + strlen(text);
	while (last > text && !(last[-1] == '-' || last[-1] == ','))
		last--;
	return (unsigned)strtoul(last, NULL, 10) + 1;
}

/* --- dump --- */

bool aio_is_ring(const struct mapping *mapping)
{
	return mapping->name && mapping->shared && mapping->deleted && text_starts(mapping->name, "/[aio]");
}

static int read_ring(pid_t pid, uint64_t at, void *to, size_t size)
{
	struct iovec local = { to, size }, remote = { (void *)at, size };

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)size)
		return fail_errno("reading the AIO ring at %" PRIx64, at);
	return 0;
}

int aio_read_head(pid_t pid, const struct mapping *mapping, struct aio_ring_head *ret)
{
	TRY(read_ring(pid, mapping->start, ret, sizeof(*ret)));
	if (ret->magic != AIO_RING_MAGIC || ret->size != sizeof(*ret) || !ret->nr || ret->head >= ret->nr ||
	    ret->tail >= ret->nr ||
	    sizeof(*ret) + (uint64_t)ret->nr * sizeof(struct io_event) > mapping->end - mapping->start)
		return refuse(EOPNOTSUPP, "the AIO ring at %" PRIx64 " is damaged, or only a part of it is mapped",
			      mapping->start);
	return 0;
}

static uint32_t count_unread(uint32_t head, uint32_t tail, uint32_t nr)
{
	return tail >= head ? tail - head : tail + nr - head;
}

/* How many requests io_setup(2) must be asked for to make a ring as long as this: fs/aio.c, since 3.x. */
static uint32_t requests_of(uint64_t length)
{
	return (uint32_t)(((length - sizeof(struct aio_ring_head)) / sizeof(struct io_event) - 2) / 2);
}

int aio_dump(const struct dump *d, struct task *task, const struct mapping *mapping, VmaEntry *vma)
{
	AioRingEntry *record = pool_new(d->pool, AioRingEntry);
	struct aio_ring_head head;
	uint64_t events = mapping->start + sizeof(head), size = sizeof(struct io_event);
	MmEntry *mm = task->mm;
	AioRingEntry **all = pool_array(d->pool, AioRingEntry *, mm->n_aios + 1);
	uint32_t unread, first;

	TRY(aio_read_head(task->pid, mapping, &head));
	aio_ring_entry__init(record);
	record->id = mapping->start;
	record->ring_len = (uint32_t)(mapping->end - mapping->start);
	record->nr_req = requests_of(record->ring_len);
	record->has_head = record->has_tail = record->has_events = true;
	record->head = head.head;
	record->tail = head.tail;
	unread = count_unread(head.head, head.tail, head.nr);
	first = unread < head.nr - head.head ? unread : head.nr - head.head; /* up to the end of the ring */
	record->events.len = unread * size;
	record->events.data = pool_alloc(d->pool, record->events.len + 1);
	if (first)
		TRY(read_ring(task->pid, events + head.head * size, record->events.data, first * size));
	if (unread > first)
		TRY(read_ring(task->pid, events, record->events.data + first * size, (unread - first) * size));
	for (size_t i = 0; i < mm->n_aios; i++)
		all[i] = mm->aios[i];
	all[mm->n_aios++] = record;
	mm->aios = all;
	vma->status = VMA_REGULAR | VMA_AIORING;
	return 0;
}

/* --- restore --- */

static const AioRingEntry *find_record(const MmEntry *mm, const VmaEntry *vma)
{
	for (size_t i = 0; i < mm->n_aios; i++)
		if (mm->aios[i]->id == vma->start)
			return mm->aios[i];
	return NULL;
}

static uint32_t capacity_of(const VmaEntry *vma)
{
	return (uint32_t)((vma->end - vma->start - sizeof(struct aio_ring_head)) / sizeof(struct io_event));
}

/* What io_setup(2) makes of a number of requests. */
static uint64_t length_of(uint64_t requests)
{
	uint64_t least = 4 * (uint64_t)aio_possible_cpus(), page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t events = (requests > least ? requests : least) * 2 + 2;

	return (sizeof(struct aio_ring_head) + events * sizeof(struct io_event) + page - 1) / page * page;
}

int aio_check(const MmEntry *mm, const VmaEntry *vma)
{
	const AioRingEntry *record = find_record(mm, vma);
	uint64_t length = vma->end - vma->start;

	if (!record || record->ring_len != length || length > UINT32_MAX)
		return refuse(EINVAL, "the AIO ring at %" PRIx64 " has no record that fits", vma->start);
	if (length_of(requests_of(length)) != length)
		return refuse(EOPNOTSUPP,
			      "this kernel makes no AIO ring as short as that at %" PRIx64 " (%" PRIu64
			      " bytes): it makes room "
			      "for each of its %u CPUs",
			      vma->start, length, aio_possible_cpus());
	if (!record->has_head && !record->has_tail)
		return 0;
	if (record->head >= capacity_of(vma) || record->tail >= capacity_of(vma) ||
	    record->events.len !=
		    (uint64_t)count_unread(record->head, record->tail, capacity_of(vma)) * sizeof(struct io_event))
		return refuse(EINVAL, "the record of the AIO ring at %" PRIx64 " makes no sense", vma->start);
	return 0;
}

void aio_plan_dummy(struct plan *plan, unsigned fd_slot, uint8_t flags, struct aio_dummy *ret)
{
	struct step *step;

	struct iocb iocb = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN };

	ret->fd_slot = fd_slot;
	ret->iocb = plan_data(plan, &iocb, sizeof(iocb));
	ret->array = plan_space(plan, AIO_BATCH * sizeof(uint64_t));
	step = plan_syscall(plan, "make an eventfd for dummy requests", __NR_eventfd2, V(1), V(EFD_CLOEXEC));
	step->to_slot = (uint8_t)fd_slot;
	step->flags |= flags;
	plan_step(plan, "its number into the request", STEP_SET_INT,
		  (struct plan_arg[]){ D(ret->iocb + offsetof(struct iocb, aio_fildes)), S(fd_slot) }, 2);
	plan_step(plan, "the address of the request", STEP_SET_LONG, (struct plan_arg[]){ D(ret->array), D(ret->iocb) },
		  2);
	for (size_t n = 1; n < AIO_BATCH; n *= 2)
		plan_step(plan, "and as often as it is needed", STEP_COPY,
			  (struct plan_arg[]){ D(ret->array + n * sizeof(uint64_t)), D(ret->array),
					       V(n * sizeof(uint64_t)) },
			  3);
}

/* Slots for requests are handed to CPUs in bunches (fs/aio.c): one CPU alone gets all of them. */
static size_t plan_pin(struct plan *plan)
{
	size_t old = plan_space(plan, CPUS_SIZE);
	cpu_set_t own, one;
	int cpu = 0;

	plan_syscall(plan, "which CPUs are allowed", __NR_sched_getaffinity, V(0), V(CPUS_SIZE), D(old));
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(own), &own) == 0)
		while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &own))
			cpu++;
	CPU_SET(cpu, &one);
	plan_syscall(plan, "stay on one CPU", __NR_sched_setaffinity, V(0), V(sizeof(one)),
		     D(plan_data(plan, &one, sizeof(one))))
		->flags |= STEP_MAY_FAIL;
	return old;
}

static void plan_head(struct plan *plan, const VmaEntry *vma, uint32_t head)
{
	plan_step(plan, "say what was read", STEP_SET_INT,
		  (struct plan_arg[]){ P(vma->start + offsetof(struct aio_ring_head, head)), V(head) }, 2);
}

/* n requests that are done at once; with read, their events count as read. */
static void plan_turn(struct plan *plan, const VmaEntry *vma, const struct aio_dummy *dummy, uint64_t n, uint32_t *tail,
		      bool read)
{
	uint32_t nr = capacity_of(vma), most = nr / 2 < AIO_BATCH ? nr / 2 : AIO_BATCH;

	while (n) {
		uint64_t now = n < most ? n : most;
		struct step *step =
			plan_syscall(plan, "turn an AIO ring", __NR_io_submit, P(vma->start), V(now), D(dummy->array));

		step->flags |= STEP_EXACT;
		step->arg[6] = (int64_t)now;
		*tail = (uint32_t)((*tail + now) % nr);
		if (read)
			plan_head(plan, vma, *tail);
		n -= now;
	}
}

static void plan_events(struct plan *plan, const VmaEntry *vma, const AioRingEntry *record)
{
	uint64_t size = sizeof(struct io_event), events = vma->start + sizeof(struct aio_ring_head);
	uint64_t first = (capacity_of(vma) - record->head) * size, all = record->events.len;
	size_t data = plan_data(plan, record->events.data, all);

	if (first > all)
		first = all;
	plan_step(plan, "unread events of an AIO ring", STEP_COPY,
		  (struct plan_arg[]){ P(events + record->head * size), D(data), V(first) }, 3);
	plan_step(plan, "unread events of an AIO ring", STEP_COPY,
		  (struct plan_arg[]){ P(events), D(data + first), V(all - first) }, 3);
}

/* The kernel's place for the next event must be that of the record, and as many slots must count as taken as there are
 * unread events. */
static void plan_content(struct plan *plan, const VmaEntry *vma, const AioRingEntry *record)
{
	uint64_t unread = record->events.len / sizeof(struct io_event);
	uint64_t all = record->tail >= unread ? record->tail : record->tail + capacity_of(vma);
	struct aio_dummy dummy;
	uint32_t tail = 0;
	size_t cpus;

	if (!all)
		return;
	cpus = plan_pin(plan);
	aio_plan_dummy(plan, SLOT_FD, 0, &dummy);
	plan_turn(plan, vma, &dummy, all - unread, &tail, true);
	plan_turn(plan, vma, &dummy, unread, &tail, false);
	if (unread)
		plan_events(plan, vma, record);
	plan_syscall(plan, "close the eventfd", __NR_close, S(SLOT_FD));
	plan_syscall(plan, "be free of that CPU", __NR_sched_setaffinity, V(0), V(CPUS_SIZE), D(cpus))->flags |=
		STEP_MAY_FAIL;
}

int aio_plan(const MmEntry *mm, const VmaEntry *vma, struct plan *plan)
{
	const AioRingEntry *record = find_record(mm, vma);
	uint64_t length = vma->end - vma->start;
	size_t at = plan_space(plan, sizeof(uint64_t));
	struct step *step;

	plan_syscall(plan, "make an AIO ring (is there room in /proc/sys/fs/aio-max-nr?)", __NR_io_setup,
		     V(requests_of(length)), D(at));
	plan_step(plan, "where is the AIO ring", STEP_GET_LONG, (struct plan_arg[]){ D(at) }, 1)->to_slot = SLOT_RING;
	step = plan_syscall(plan, "move the AIO ring to its place", __NR_mremap, S(SLOT_RING), V(length), V(length),
			    V(MREMAP_MAYMOVE | MREMAP_FIXED), V(vma->start));
	step->flags |= STEP_EXACT;
	step->arg[6] = (int64_t)vma->start;
	if (record->has_tail)
		plan_content(plan, vma, record);
	if (vma->prot != (PROT_READ | PROT_WRITE))
		plan_syscall(plan, "protect the AIO ring", __NR_mprotect, V(vma->start), V(length), V(vma->prot));
	return 0;
}
