/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of asynchronous I/O that are under way when the task is stopped: they still write into its memory, so the
 * dump waits for them. The kernel tells nobody how many there are. So all free slots of the ring are counted, by
 * requests that are done at once, for which there are slots until there are none: what is neither free nor an unread
 * event is under way. All that is one plan with nothing left behind, so it does not matter if criu dies meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/memory/aio/aio.h"
#include "object/task/part.h"
#include "plan/plan.h"
#include "session/thread-run.h"

#define SLOT_FD	   1
#define CPUS_SIZE  1024 /* bytes of a CPU mask, enough for 8192 */
#define CPUS_MAX   1024
#define WAIT_MS	   5
#define NOT_A_RING (-1) /* mapped, but not for this process to use: inherited from its parent */

/* One look at a ring. */
struct aio_look {
	uint64_t slots, batch; /* that the ring has; that the kernel hands to a CPU at a time */
	size_t submitted[CPUS_MAX * 2];
	size_t moved[CPUS_MAX];
	size_t n_submitted, n_cpus;
	size_t swept;
};

/* fs/aio.c: slots go to CPUs in bunches, what is left over is never used. */
static void learn_slots(struct aio_look *look, const struct aio_ring_head *head)
{
	look->batch = (head->nr - 1) / ((uint64_t)aio_possible_cpus() * 4);
	if (!look->batch)
		look->batch = 1;
	look->slots = (head->nr - 1) / look->batch * look->batch;
}

static void plan_take(struct aio_look *look, struct plan *plan, const struct mapping *ring,
		      const struct aio_dummy *dummy, uint64_t n)
{
	for (uint64_t i = 0; i <= n / AIO_BATCH && look->n_submitted < CPUS_MAX * 2; i++) {
		struct step *step = plan_syscall(plan, "take free slots of an AIO ring", __NR_io_submit, P(ring->start),
						 V(AIO_BATCH), D(dummy->array));

		step->flags |= STEP_MAY_FAIL;
		look->submitted[look->n_submitted++] = plan_keep_result(plan, step);
	}
}

/* Each CPU may hold some of the free slots. */
static void plan_look(struct aio_look *look, struct plan *plan, const struct mapping *ring,
		      const struct aio_ring_head *head)
{
	struct step *step;
	size_t old = plan_space(plan, CPUS_SIZE);
	struct aio_dummy dummy;

	aio_plan_dummy(plan, SLOT_FD, 0, &dummy);
	plan_syscall(plan, "which CPUs are allowed", __NR_sched_getaffinity, V(0), V(CPUS_SIZE), D(old))->flags |=
		STEP_MAY_FAIL;
	for (unsigned cpu = 0; cpu < aio_possible_cpus() && cpu < CPUS_MAX; cpu++) {
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		step = plan_syscall(plan, "go to another CPU", __NR_sched_setaffinity, V(0), V(sizeof(one)),
				    D(plan_data(plan, &one, sizeof(one))));
		step->flags |= STEP_MAY_FAIL;
		look->moved[look->n_cpus++] = plan_keep_result(plan, step);
		plan_take(look, plan, ring, &dummy, cpu ? 2 * look->batch : look->slots);
	}
	/* Still there: it has the slots that it needs to turn the ring a whole circle. */
	step = plan_step(
		plan, "give the slots back", STEP_AIO_SWEEP,
		(struct plan_arg[]){ P(ring->start), D(dummy.iocb), V(head->head), D(dummy.array), V(AIO_BATCH) }, 5);
	step->flags |= STEP_MAY_FAIL;
	look->swept = plan_keep_result(plan, step);
	plan_syscall(plan, "be free of that CPU", __NR_sched_setaffinity, V(0), V(CPUS_SIZE), D(old))->flags |=
		STEP_MAY_FAIL;
	plan_syscall(plan, "close the eventfd", __NR_close, S(SLOT_FD))->flags |= STEP_MAY_FAIL;
}

/* How many are under way. hidden: so many free ones may be with CPUs where the task may not run. */
static int64_t count_requests(const struct aio_look *look, const struct remote *remote,
			      const struct aio_ring_head *head, uint64_t *hidden)
{
	uint64_t unread = head->tail >= head->head ? head->tail - head->head : head->tail + head->nr - head->head;
	int64_t left = (int64_t)(look->slots - unread), unseen = sysconf(_SC_NPROCESSORS_ONLN);

	for (size_t i = 0; i < look->n_submitted; i++) {
		int64_t taken = remote_value(remote, look->submitted[i]);

		if (taken == -EINVAL)
			return NOT_A_RING;
		left -= taken > 0 ? taken : 0;
	}
	for (size_t i = 0; i < look->n_cpus; i++)
		unseen -= remote_value(remote, look->moved[i]) == 0;
	*hidden = unseen > 0 ? (uint64_t)unseen * (2 * look->batch - 1) : 0;
	return left > 0 ? left : 0;
}

struct aio_answer {
	const struct aio_look *look;
	const struct mapping *ring;
	pid_t pid;
	int64_t under_way;
	uint64_t hidden;
	uint32_t head;
};

static int read_answer(struct remote *remote, void *arg)
{
	struct aio_answer *answer = arg;
	struct aio_ring_head head;

	TRY(aio_read_head(answer->pid, answer->ring, &head));
	answer->under_way = count_requests(answer->look, remote, &head, &answer->hidden);
	if (head.head != answer->head)
		log_warn("the AIO ring at %" PRIx64
			 " could not be turned back (%s): its first event is at %u, not at %u; "
			 "io_getevents(2) gives the same",
			 answer->ring->start, strerror((int)-remote_value(remote, answer->look->swept)), head.head,
			 answer->head);
	return 0;
}

static int look_at(struct dump *d, struct thread *thread, const struct mapping *ring, int64_t *ret_under_way,
		   uint64_t *ret_hidden)
{
	AUTO(plan_destroy) struct plan *plan = plan_create();
	AUTO_FREE struct aio_look *look = xzalloc(sizeof(*look));
	struct aio_answer answer = { .look = look, .ring = ring, .pid = thread->task->pid };
	struct aio_ring_head head;

	TRY(aio_read_head(thread->task->pid, ring, &head));
	answer.head = head.head;
	learn_slots(look, &head);
	plan_look(look, plan, ring, &head);
	TRY(thread_run_plan(d, thread, plan, read_answer, &answer));
	*ret_under_way = answer.under_way;
	*ret_hidden = answer.hidden;
	return 0;
}

static int wait_for(struct dump *d, struct thread *thread, struct mapping *ring)
{
	const struct timespec pause = { .tv_nsec = WAIT_MS * 1000000 };
	int64_t under_way;
	uint64_t hidden;

	for (;;) {
		TRY(look_at(d, thread, ring, &under_way, &hidden));
		ring->inherited_ring = under_way == NOT_A_RING;
		if (!under_way || ring->inherited_ring)
			return 0;
		log_debug("%" PRId64 " AIO requests of the ring at %" PRIx64 " are under way", under_way, ring->start);
		if (deadline_left_ms(&d->progress->deadline) < 1000)
			break;
		nanosleep(&pause, NULL);
	}
	if ((uint64_t)under_way <= hidden) {
		log_warn("whether AIO requests of the ring at %" PRIx64
			 " are under way cannot be told: the task may not run on all CPUs",
			 ring->start);
		return 0;
	}
	return refuse(EBUSY,
		      "%" PRId64 " requests of the AIO ring at %" PRIx64
		      " do not come to an end (polls, perhaps): they cannot be saved; let the "
		      "program cancel them before the dump",
		      under_way, ring->start);
}

static int await_requests(struct dump *d, struct thread *thread, struct plan *plan)
{
	struct mappings *mappings = &thread->task->dump->mappings;

	if (thread != thread->task->leader)
		return 0;
	for (size_t i = 0; i < mappings->n; i++)
		if (aio_is_ring(&mappings->items[i]))
			TRY(wait_for(d, thread, &mappings->items[i]));
	return 0;
}

const struct task_part aio_wait_part = {
	.name = "aio",
	.ask = await_requests,
};
