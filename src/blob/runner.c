/* SPDX-License-Identifier: LGPL-2.1-only */
/* The only code that runs inside other processes: waits for a plan, runs its steps, says how it went. */
#include "blob/runner.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <linux/poll.h>
#include <linux/time_types.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "arch_blob.h"
#include "arch_syscall.h"
#include "blob/abi/steps.h"

#define SYS(nr, ...) SYS_(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_(nr, a, b, c, d, e, f, ...) \
	arch_syscall((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#define PAUSES_PER_MS  50000 /* of 10 to 140 cycles */
#define PARKED_STEP_MS 5
#define CATCH_STEP_MS  5

static uint32_t slot_state(const struct slot *slot)
{
	return __atomic_load_n(&slot->state, __ATOMIC_SEQ_CST);
}

static int64_t step_argument(const struct step *step, int i, struct slot *slot, const struct plan_header *plan)
{
	int64_t value = step->arg[i];

	if (step->from_slot & (1u << i))
		return slot->value[value & (STEP_SLOTS - 1)];
	if (step->in_plan & (1u << i))
		return (int64_t)(uintptr_t)plan + value;
	return value;
}

/* Takes a descriptor of the coordinator and puts it at the wanted number (or leaves it where it is for number -1). */
static long get_fd(long pidfd, long theirs, long wanted, long flags)
{
	long fd = SYS(__NR_pidfd_getfd, pidfd, theirs, 0);

	if (fd < 0 || wanted < 0)
		return fd;
	if (fd != wanted) {
		long moved = SYS(__NR_dup3, fd, wanted, flags);

		SYS(__NR_close, fd);
		return moved;
	}
	/* pidfd_getfd(2) always sets close-on-exec. */
	if (!flags) {
		long error = SYS(__NR_fcntl, fd, 2 /* F_SETFD */, 0);

		if (error < 0)
			return error;
	}
	return fd;
}

/* From one number to another, which may be the same; both are as close_on_exec says. */
static long place_fd(long fd, long wanted, long close_on_exec, long has_it)
{
	long moved;

	if (fd == wanted)
		return close_on_exec == has_it ? 0 : SYS(__NR_fcntl, fd, 2 /* F_SETFD */, close_on_exec);
	moved = SYS(__NR_dup3, fd, wanted, close_on_exec ? 02000000 /* O_CLOEXEC */ : 0);
	SYS(__NR_close, fd);
	return moved < 0 ? moved : 0;
}

/* The lowest free numbers are what the kernel takes: mostly those that are wanted. */
static long make_twins(long nr, long type, long first, long second, long close_on_exec)
{
	const long has_it = close_on_exec == 3;
	int fds[2];
	long error, moved;

	type |= has_it ? 02000000 : 0; /* O_CLOEXEC, SOCK_CLOEXEC */
	error = nr == __NR_pipe2 ? SYS(nr, fds, type) : SYS(nr, 1 /* AF_UNIX */, type, 0, fds);
	if (error < 0)
		return error;
	if (fds[1] == first) { /* it would be closed */
		moved = SYS(__NR_fcntl, fds[1], 0 /* F_DUPFD */, (first > second ? first : second) + 1);
		if (moved < 0)
			return moved;
		SYS(__NR_close, fds[1]);
		fds[1] = (int)moved;
	}
	error = place_fd(fds[0], first, close_on_exec & 1, has_it);
	return error < 0 ? error : place_fd(fds[1], second, close_on_exec >> 1 & 1, has_it);
}

/* Before Linux 6.15 timer ids cannot be chosen, only reached: they count up with each creation. */
static long create_timer(long clock, long event, long wanted)
{
	for (;;) {
		int id = -1;
		long error = SYS(__NR_timer_create, clock, event, &id);

		if (error < 0 || id == wanted)
			return error;
		SYS(__NR_timer_delete, id);
		if (id > wanted)
			return -EEXIST;
	}
}

/*
 * Events of a request of ours lie among those of the program, and the kernel may still add some behind: those of the
 * program move up to the end, and the ring begins there.
 */
static long sweep_aio_ring(struct aio_ring_head *ring, uint64_t iocb)
{
	struct io_event *events = (void *)(ring + 1);
	uint32_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE), from = tail, to = tail;

	if (ring->magic != AIO_RING_MAGIC || !ring->nr || tail >= ring->nr || ring->head >= ring->nr)
		return -EINVAL;
	while (from != ring->head) {
		from = (from ? from : ring->nr) - 1;
		if (events[from].obj == iocb)
			continue;
		to = (to ? to : ring->nr) - 1;
		events[to].data = events[from].data;
		events[to].obj = events[from].obj;
		events[to].res = events[from].res;
		events[to].res2 = events[from].res2;
	}
	__atomic_store_n(&ring->head, to, __ATOMIC_RELEASE);
	return 0;
}

/*
 * Takes our events out of the ring and turns it on, by as many more as it takes, until it begins where it began
 * before: programs that read it by themselves may know that place.
 */
static long sweep_aio_circle(struct aio_ring_head *ring, uint64_t iocb, uint32_t head, long array, long batch)
{
	long error = sweep_aio_ring(ring, iocb);

	while (error == 0 && ring->head != head) {
		long left = head > ring->head ? head - ring->head : head + ring->nr - ring->head;
		long n = SYS(__NR_io_submit, ring, left < batch ? left : batch, array);

		if (n <= 0)
			return n ? n : -EAGAIN;
		error = sweep_aio_ring(ring, iocb);
	}
	return error;
}

static long turn_uring(const struct uring_turn *turn)
{
	struct uring_positions *ring = (void *)turn->rings, *completed = (void *)turn->completed;

	for (int64_t i = 0; i < turn->sqe_n; i++) {
		uint32_t *sqe = (void *)(turn->sqes + i * turn->sqe_size);

		sqe[0] = (uint32_t)turn->kind;
		sqe[1] = (uint32_t)turn->kind_fd;
	}
	/* As read count all: what does not find room would keep those that come later waiting. */
	__atomic_store_n(&completed->cq_head, __atomic_load_n(&completed->cq_tail, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	for (int64_t n = turn->n; n;) {
		int64_t now = n < turn->batch ? n : turn->batch;
		long error;

		__atomic_store_n(&ring->sq_tail, ring->sq_tail + (uint32_t)now, __ATOMIC_RELEASE);
		error = SYS(__NR_io_uring_enter, turn->fd, now);
		if (error != now)
			return error < 0 ? error : -EAGAIN;
		if (turn->looked_at >= 0)
			error = SYS(__NR_io_uring_enter, turn->looked_at, 0, 0, 1 /* IORING_ENTER_GETEVENTS */);
		if (error < 0)
			return error;
		__atomic_store_n(&completed->cq_head, __atomic_load_n(&completed->cq_tail, __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
		n -= now;
	}
	return 0;
}

/* Requests that were put in. */
static long submit_uring(const struct uring_arm *arm, const struct uring_positions *ring, int64_t n)
{
	const uint32_t tail = ring->sq_tail;
	long error = n;

	if (!arm->polled)
		return SYS(__NR_io_uring_enter, arm->fd, n);
	while (error >= 0 && __atomic_load_n(&ring->sq_head, __ATOMIC_ACQUIRE) != tail) {
		error = SYS(__NR_io_uring_enter, arm->fd, n, 0, 2 /* IORING_ENTER_SQ_WAKEUP */);
		SYS(__NR_sched_yield);
	}
	return error < 0 ? error : n;
}

#define URING_LINKED 0x0c /* IOSQE_IO_LINK, IOSQE_IO_HARDLINK; of the second byte of a request */

static int64_t count_linked(const uint8_t *requests, int64_t n)
{
	int64_t linked = 1;

	while (linked < n && requests[(linked - 1) * 64 + 1] & URING_LINKED)
		linked++;
	return linked;
}

/* What is in the ring where the kernel is, and what is put there for a moment. */
static void exchange_uring(const struct uring_arm *arm, uint32_t head, const uint8_t *requests, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		const uint32_t slot = (head + (uint32_t)i) & (uint32_t)arm->mask;
		uint32_t *place = (void *)(arm->rings + arm->array + slot * 4), *places = (void *)arm->places;
		uint8_t *sqe = (void *)(arm->sqes + slot * arm->sqe_size),
			*kept = (void *)(arm->kept + i * arm->sqe_size);

		if (requests) {
			arch_copy(kept, sqe, (size_t)arm->sqe_size);
			for (int64_t k = 64; k < arm->sqe_size; k++)
				sqe[k] = 0;
			arch_copy(sqe, requests + i * 64, 64);
		} else {
			arch_copy(sqe, kept, (size_t)arm->sqe_size);
		}
		if (!arm->array)
			continue;
		if (requests)
			places[i] = *place;
		*place = requests ? slot : places[i];
	}
}

static long arm_uring(const struct uring_arm *arm)
{
	struct uring_positions *ring = (void *)arm->rings;
	const uint8_t *requests = (void *)arm->requests;
	const uint32_t tail = ring->sq_tail;
	int64_t done = 0, now;
	long error = 0;

	for (; done < arm->n; done += now) {
		uint32_t head = __atomic_load_n(&ring->sq_head, __ATOMIC_ACQUIRE);

		now = count_linked(requests + done * 64, arm->n - done);
		exchange_uring(arm, head, requests + done * 64, now);
		__atomic_store_n(&ring->sq_tail, head + (uint32_t)now, __ATOMIC_RELEASE);
		error = submit_uring(arm, ring, now);
		exchange_uring(arm, head, 0, now);
		if (error != now)
			break;
	}
	if (!arm->polled)
		__atomic_store_n(&ring->sq_tail, tail, __ATOMIC_RELEASE);
	return done == arm->n ? 0 : error < 0 ? error : -EAGAIN;
}

static long read_fd_flags(long n, uint8_t *flags)
{
	for (long fd = 0; fd < n; fd++) {
		long result = SYS(__NR_fcntl, fd, 1 /* F_GETFD */);

		flags[fd] = result < 0 ? 0 : FD_FLAG_OPEN | (result & 1 /* FD_CLOEXEC */ ? FD_FLAG_CLOEXEC : 0);
	}
	return 0;
}

static long run_step(const struct step *step, struct slot *slot, const struct plan_header *plan)
{
	int64_t a[6];

	for (int i = 0; i < 6; i++)
		a[i] = step_argument(step, i, slot, plan);
	switch (step->kind) {
	case STEP_SYSCALL:
		return arch_syscall(step->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	case STEP_GETFD:
		return get_fd(a[0], a[1], a[2], a[3]);
	case STEP_CLONE:
		return arch_clone_to((void *)a[0], (size_t)a[1], (struct slot *)a[2]);
	case STEP_COPY:
		arch_copy((void *)a[0], (const void *)a[1], (size_t)a[2]);
		return 0;
	case STEP_SET_LONG:
		*(int64_t *)a[0] = a[1];
		return 0;
	case STEP_SET_INT:
		*(int32_t *)a[0] = (int32_t)a[1];
		return 0;
	case STEP_GET_LONG:
		return *(int64_t *)a[0];
	case STEP_AIO_SWEEP:
		return sweep_aio_circle((void *)a[0], (uint64_t)a[1], (uint32_t)a[2], a[3], a[4]);
	case STEP_TIMER:
		return create_timer(a[0], a[1], a[2]);
	case STEP_FD_FLAGS:
		return read_fd_flags(a[0], (uint8_t *)a[1]);
	case STEP_COMPAT:
		return arch_syscall_compat(step->nr, a);
	case STEP_URING:
		return turn_uring((const void *)a[0]);
	case STEP_URING_ARM:
		return arm_uring((const void *)a[0]);
	case STEP_TWINS:
		return make_twins(step->nr, a[0], a[1], a[2], a[3]);
	case STEP_CALL:
		return arch_call_on(a[1], a[0]);
	}
	return -ENOSYS;
}

static void run_plan(struct slot *slot)
{
	struct plan_header *plan = (void *)slot->plan;
	const struct step *steps = (const void *)(plan + 1);

	slot->error = 0;
	for (uint32_t i = 0; i < plan->n_steps; i++) {
		const struct step *step = &steps[i];
		long result;

		do {
			result = run_step(step, slot, plan);
		} while (result == -EINTR && (step->flags & STEP_RETRY_EINTR));

		if (step->to_slot)
			slot->value[step->to_slot & (STEP_SLOTS - 1)] = result;
		if (step->to_result)
			*(int64_t *)((char *)plan + step->to_result) = result;
		if (step->flags & STEP_MAY_FAIL)
			continue;
		if ((step->flags & STEP_EXACT) ? result != step->arg[6]
					       : (unsigned long)result >= (unsigned long)-4095) {
			/* An exact step that went otherwise may have a result that is no error. */
			slot->error = result < 0 && result >= -4095 ? result : -ERANGE;
			slot->failed_step = i;
			return;
		}
	}
}

/* It says for whom it waits before it looks at what that one has written: so one of the two sees the other. */
static void wake_coordinator(struct slot *slot)
{
	struct wakeup *wakeup = (void *)slot->wakeup;

	if (__atomic_load_n(&wakeup->awaited, __ATOMIC_SEQ_CST) != (int64_t)slot)
		return;
	__atomic_add_fetch(&wakeup->rung, 1, __ATOMIC_SEQ_CST);
	SYS(__NR_futex, &wakeup->rung, FUTEX_WAKE, 0x7fffffff);
}

/*
 * A parasite thread must come home even if the coordinator has died. ppoll and not futex: when it is interrupted it
 * does not overwrite the restart information of the system call from which the thread was taken away. With the
 * coordinator the suspension of seccomp filters ends, a moment after the kernel has marked the word: no call but
 * rt_sigreturn(2) follows then.
 */
static void wait_to_be_caught(struct slot *slot)
{
	while (!(__atomic_load_n((uint32_t *)slot->life, __ATOMIC_SEQ_CST) & FUTEX_OWNER_DIED)) {
		struct __kernel_timespec time = { .tv_nsec = CATCH_STEP_MS * 1000000 };

		SYS(__NR_ppoll, 0, 0, &time, 0, 0);
	}
	__atomic_store_n(&slot->state, SLOT_LEFT, __ATOMIC_SEQ_CST);
	arch_go_home(slot->home);
}

/*
 * The coordinator has died. Together with it the suspension of seccomp filters has ended: if there are any, only
 * rt_sigreturn(2) is allowed for sure.
 */
static void wait_parked(struct slot *slot)
{
	for (int64_t i = slot->grace * PAUSES_PER_MS; i < 0 && slot_state(slot) == SLOT_DONE; i++)
		arch_pause();
	for (int64_t ms = 0; ms < slot->grace && slot_state(slot) == SLOT_DONE; ms += PARKED_STEP_MS) {
		struct __kernel_timespec time = { .tv_nsec = PARKED_STEP_MS * 1000000 };

		SYS(__NR_ppoll, 0, 0, &time, 0, 0);
	}
	__atomic_store_n(&slot->state, SLOT_LEFT, __ATOMIC_SEQ_CST);
	arch_go_home(slot->home);
}

/* Who is behind the pidfd. */
static int is_dead(int64_t pidfd)
{
	struct pollfd fd = { .fd = (int)pidfd, .events = POLLIN };
	struct __kernel_timespec now = { 0 };

	return SYS(__NR_ppoll, &fd, 1, &now, 0, 0) != 0;
}

/* Should criu be killed, nothing half-made stays behind: the first task dies with criu, the others each with their
 * parent. */
static void die_with_parent(const struct slot *slot)
{
	if (!slot->parent)
		return;
	SYS(__NR_prctl, 1 /* PR_SET_PDEATHSIG */, 9 /* SIGKILL */);
	if (slot->parent > 0 ? SYS(__NR_getppid) != slot->parent : is_dead(-slot->parent))
		SYS(__NR_exit_group, 1);
}

void blob_run(struct slot *slot)
{
	if (slot->role == SLOT_PARKED)
		wait_parked(slot);
	__atomic_store_n(&slot->tid, (uint32_t)SYS(__NR_gettid), __ATOMIC_SEQ_CST);
	if (slot->role == SLOT_RESTORER) {
		die_with_parent(slot);
		wake_coordinator(slot);
	}
	for (;;) {
		uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_SEQ_CST);

		if (state != SLOT_POSTED) {
			SYS(__NR_futex, &slot->state, FUTEX_WAIT, state, 0);
			continue;
		}
		slot->state = SLOT_RUNNING;
		run_plan(slot);
		__atomic_store_n(&slot->state, SLOT_DONE, __ATOMIC_SEQ_CST);
		wake_coordinator(slot);
		if (slot->role == SLOT_PARASITE)
			wait_to_be_caught(slot);
	}
}
