/* SPDX-License-Identifier: GPL-2.0-only */
/* What is the same for all threads: the CPUs that run, the confinement of criu, what this kernel tells. */
#include "object/task/host.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"

/* linux/prctl.h, Linux 5.14. */
#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE	  62
#define PR_SCHED_CORE_GET 0
#endif

#define MEMBARRIER_QUERY	     0
#define MEMBARRIER_GET_REGISTRATIONS (1 << 9)

int host_read_label(int proc, const char *name, char ret[LABEL_SIZE])
{
	ssize_t size = file_read_text(proc, name, ret, LABEL_SIZE);

	/* No module gives labels, or there is no such file. */
	if (size == -EINVAL || size == -ENOENT || size == -EOPNOTSUPP)
		size = 0;
	if (size < 0)
		return fail((int)-size, "reading %s", name);
	ret[size] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

static int read_own_label(struct pool *pool, const char **ret)
{
	AUTO_CLOSE int proc = open("/proc/thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char label[LABEL_SIZE];

	if (proc < 0)
		return fail_errno("opening /proc/thread-self");
	TRY(host_read_label(proc, "attr/current", label));
	*ret = pool_string(pool, label);
	return 0;
}

void cpus_add(struct cpus *cpus, unsigned cpu)
{
	const unsigned bits = 8 * sizeof(*cpus->words);

	cpus->words[cpu / bits] |= 1ul << cpu % bits;
}

/* A list as "0-3,8". */
static void read_online(struct cpus *ret)
{
	char text[4096], *at = text;

	if (file_read_text(AT_FDCWD, "/sys/devices/system/cpu/online", text, sizeof(text)) <= 0)
		return;
	while (*at >= '0' && *at <= '9') {
		unsigned long first = strtoul(at, &at, 10), last = *at == '-' ? strtoul(at + 1, &at, 10) : first;

		for (; first <= last && first < CPUS_MAX; first++)
			cpus_add(ret, (unsigned)first);
		at += *at == ',';
	}
}

int scheduling_read(pid_t tid, struct scheduling *ret)
{
	*ret = (struct scheduling){ .size = sizeof(*ret) };
	return (int)syscall(__NR_sched_getattr, tid, ret, sizeof(*ret), 0);
}

/* linux/ioprio.h */
#define WHO_PROCESS 1
#define CLASS_SHIFT 13

long host_read_io_priority(pid_t tid)
{
	long priority = syscall(__NR_ioprio_get, WHO_PROCESS, tid);

	if (priority < 0)
		return errno == ENOSYS ? 0 : -1; /* a kernel without block devices */
	return priority >> CLASS_SHIFT ? priority : 0;
}

static const struct state_type host_state = { sizeof(struct task_host), NULL };

const struct task_host *task_host_of_dump(const struct dump *d)
{
	return state_find(d->states, &host_state);
}

const struct task_host *task_host_of_restore(const struct restore *r)
{
	return state_find(r->states, &host_state);
}

#define RESET_ON_FORK 0x01 /* SCHED_FLAG_RESET_ON_FORK */

/* sched(7), ioprio_set(2). */
static void read_own_scheduling(struct task_host *host)
{
	struct scheduling own;

	host->io_priority = host_read_io_priority(0);
	if (scheduling_read(0, &own) < 0)
		return;
	host->slice_ns = own.runtime;
	host->policy = (int)own.policy;
	host->nice = own.nice;
	host->is_inherited = own.policy == SCHED_OTHER && !(own.flags & RESET_ON_FORK);
}

int task_host_read(struct states *states, struct pool *pool)
{
	struct task_host *host = state_make(states, &host_state);
	long membarriers = syscall(__NR_membarrier, MEMBARRIER_QUERY, 0, 0);
	uint64_t cookie;

	TRY(read_own_label(pool, &host->label));
	read_online(&host->online);
	read_own_scheduling(host);
	host->core_cookies = prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, 0, &cookie) == 0;
	host->tells_membarriers = membarriers < 0 || membarriers & MEMBARRIER_GET_REGISTRATIONS;
	return 0;
}
