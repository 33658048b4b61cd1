/* SPDX-License-Identifier: LGPL-2.1-only */
/* Memory and threads of parasites whose coordinator was killed. */
#include "lib/compel/leftover.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/grace.h"
#include "base/pool.h"
#include "lib/compel/parasite.h"
#include "lib/compel/arena.h"
#include "lib/compel/tracee.h"

bool parasite_is_leftover(pid_t pid, uint64_t address)
{
	char mark[sizeof(arena_mark)];
	struct iovec local = { mark, sizeof(mark) }, remote = { (void *)(address + ARENA_MARK), sizeof(mark) };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == sizeof(mark) &&
	       memcmp(mark, arena_mark, sizeof(mark)) == 0;
}

/* To the end of rt_sigreturn(2). In front of it the thread waits to be caught by a coordinator that is dead: not any
 * longer. */
static int hurry_home(pid_t tid, const struct deadline *deadline, int *lost_stop)
{
	long call = 0, last;

	do {
		last = call;
		TRY(tracee_run_to_next(tid, deadline, lost_stop, &call));
		if (call == __NR_ppoll)
			TRY(arch_skip_syscall(tid));
	} while (last != __NR_rt_sigreturn || call != -1);
	return 0;
}

/*
 * All its signals are blocked in there, and it comes home by rt_sigreturn(2), be it called there or, when the memory is
 * unmapped on the way, in the program's own code: when that returns, its registers are those of the program.
 */
int parasite_run_out(pid_t tid, uint64_t start, uint64_t end, const struct deadline *deadline)
{
	AUTO(pool_destroy) struct pool *pool = pool_create();
	int lost_stop = 0;

	for (;;) {
		struct arch_thread_state *state;

		TRY(arch_state_get(tid, pool, &state));
		if (arch_state_ip(state) < start || arch_state_ip(state) >= end)
			break;
		int error = hurry_home(tid, deadline, &lost_stop);

		if (error == -ESRCH)
			return refuse(EAGAIN, "thread %d ended while it was being stopped: try again", tid);
		TRY(error);
	}
	if (lost_stop)
		syscall(__NR_tkill, tid, lost_stop);
	return 0;
}

int parasite_unmap(const struct parasite_process *process, uint64_t address, uint64_t size)
{
	const struct deadline soon = deadline_in_seconds(GRACE_HOME_S);
	int64_t result = 0;

	TRY(parasite_call(process->tid, process->mem, &process->place, &process->state, __NR_munmap,
			  (const uint64_t[6]){ address, size }, &soon, &result));
	return result < 0 ? fail((int)-result, "removing our memory from the task") : 0;
}
