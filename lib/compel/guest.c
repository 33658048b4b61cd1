/* SPDX-License-Identifier: LGPL-2.1-only */
/* Threads of a living program that run a plan and come home. */
#include "lib/compel/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "blob/abi/image.h"
#include "lib/compel/stage.h"
#include "lib/compel/tracee.h"

#define ALL_SIGNALS (~0ull)
#define PATIENCE_MS 1000
#define PARKED_MS   5000
#define SPINNING_MS 200

static int share(struct stage *stage, int proc)
{
	char path[64];
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, stage->address, stage->address + stage->size);
	fd = openat(proc, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("opening the memory that criu shares with the task (/proc/PID/%s)", path);
	stage->local = mmap(NULL, stage->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (stage->local == MAP_FAILED) {
		stage->local = NULL;
		return fail_errno("mapping the memory that criu shares with the task");
	}
	return 0;
}

int guest_stage_open(const struct guest_process *process, size_t size, struct stage **ret)
{
	struct stage *stage = xzalloc(sizeof(*stage));
	int64_t address;
	int error;

	stage->fd = -1;
	stage->pid = process->tid;
	stage->size = (STAGE_HEADER + size + 4095) / 4096 * 4096;
	error = guest_call(process->tid, process->mem, &process->place, &process->state, __NR_mmap,
			   (const uint64_t[6]){ 0, stage->size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS,
						(uint64_t)-1, 0 },
			   &address);
	if (error == 0 && address == -EACCES)
		error = refuse(EACCES, "the task may not have memory that is writable and executable (PR_SET_MDWE): such programs cannot be "
				       "checkpointed yet");
	else if (error == 0 && address < 0 && address > -4096)
		error = fail((int)-address, "mapping %zu bytes for criu in the task", stage->size);
	if (error < 0) {
		free(stage);
		return error;
	}
	stage->address = (uint64_t)address;
	error = share(stage, process->proc);
	if (error < 0) {
		(void)guest_stage_close(&stage, process); /* the first failure is what matters */
		return error;
	}
	stage_init(stage);
	*ret = stage;
	return 0;
}

size_t guest_room(const struct arch_thread_state *home)
{
	return sizeof(struct slot) + arch_frame_size(home) + 256;
}

int guest_open(struct stage *stage, pid_t tid, const struct guest_state *state, struct remote **ret)
{
	struct remote *remote = stage_add_remote(stage, SLOT_GUEST);
	void *frame = stage_alloc(stage, arch_frame_size(state->alone));

	if (!remote || !frame)
		return fail(ENOMEM, "thread %d: no room left in the shared memory", tid);
	remote->tid = tid;
	remote->state = *state;
	remote->slot->patience = PATIENCE_MS;
	remote->slot->home = (int64_t)arch_frame_write(state->alone, state->sigmask, frame, stage_address(stage, frame));
	*ret = remote;
	return 0;
}

/* It is in the blob as soon as it runs. */
static int enter_blob(struct remote *remote)
{
	uint64_t stack = remote->slot_address + offsetof(struct slot, stack) + SLOT_STACK_SIZE;

	remote->away = true;
	TRY(tracee_set_sigmask(remote->tid, ALL_SIGNALS));
	return arch_enter(remote->tid, remote->state.home, remote->stage->address + BLOB_ENTRY, remote->slot_address, stack);
}

int guest_park(struct remote *remote, bool no_calls)
{
	remote->slot->role = SLOT_PARKED;
	remote->slot->patience = no_calls ? -SPINNING_MS : PARKED_MS;
	remote->slot->state = SLOT_DONE;
	return enter_blob(remote);
}

void guest_wake(struct remote *remote)
{
	__atomic_store_n(&remote->slot->state, SLOT_LEFT, __ATOMIC_SEQ_CST);
}

int guest_unpark(struct remote *remote)
{
	if (!remote->away)
		return 0;
	TRY(arch_state_set_general(remote->tid, remote->state.home));
	TRY(tracee_set_sigmask(remote->tid, remote->state.sigmask));
	remote->away = false;
	return 0;
}

int guest_send(struct remote *remote)
{
	TRY(enter_blob(remote));
	if (ptrace(PTRACE_CONT, remote->tid, NULL, NULL) < 0)
		return fail_errno("letting thread %d run", remote->tid);
	return 0;
}

int guest_check(struct remote *remote)
{
	int status;
	pid_t pid = waitpid(remote->tid, &status, __WALL | WNOHANG);

	if (pid == 0)
		return 0;
	if (pid < 0 || !WIFSTOPPED(status))
		return refuse(ESRCH, "thread %d was killed while criu looked at it", remote->tid);
	if (status >> 16 != PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGSTOP)
		return refuse(EIO, "thread %d got signal %d (%s) inside criu's code", remote->tid, WSTOPSIG(status),
			      strsignal(WSTOPSIG(status)));
	/* Somebody stops the process just now. It must stay stopped, but only when it has its own registers again. */
	if (status >> 16 != PTRACE_EVENT_STOP)
		remote->lost_stop = WSTOPSIG(status);
	if (ptrace(PTRACE_CONT, remote->tid, NULL, NULL) < 0 && errno != ESRCH)
		return fail_errno("letting thread %d run", remote->tid);
	return 0;
}

int guest_catch(struct remote *remote, const struct deadline *deadline)
{
	uint32_t done = SLOT_DONE;
	int signal;

	if (!remote->away)
		return 0;
	if (!__atomic_compare_exchange_n(&remote->slot->state, &done, SLOT_CAUGHT, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
	    done == SLOT_LEFT)
		log_warn("thread %d went home before criu caught it", remote->tid);
	TRY(tracee_interrupt(remote->tid));
	TRY(tracee_wait_stop(remote->tid, deadline, &signal));
	if (__atomic_load_n(&remote->slot->state, __ATOMIC_SEQ_CST) == SLOT_LEFT)
		return refuse(ETIMEDOUT, "thread %d ran on before criu caught it: criu was stopped too long", remote->tid);
	TRY(arch_state_set_general(remote->tid, remote->state.home));
	TRY(tracee_set_sigmask(remote->tid, remote->state.sigmask));
	remote->away = false;
	if (remote->lost_stop)
		syscall(__NR_tkill, remote->tid, remote->lost_stop);
	return 0;
}

int guest_stage_close(struct stage **stage, const struct guest_process *process)
{
	struct stage *s = *stage;
	int error;

	if (!s)
		return 0;
	*stage = NULL;
	error = guest_unmap(process, s->address, s->size);
	stage_free(s);
	return error;
}
