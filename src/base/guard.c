/* SPDX-License-Identifier: LGPL-2.1-only */
/* What processes that watch over us have in common. */
#include "base/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"

#define DEATH_NS 10000000 /* until it is looked whether a guard that says nothing has died */

void guard_stand_apart(const char *name)
{
	AUTO_CLOSE int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_MM, PR_SET_MM_ARG_START, name, 0, 0);
	prctl(PR_SET_MM, PR_SET_MM_ARG_END, name + strlen(name) + 1, 0, 0);
	if (oom >= 0 && write(oom, "-1000", 5) < 0)
		log_debug("%s may be chosen when memory runs out", name);
}

void guard_report(uint32_t *ready)
{
	__atomic_store_n(ready, 1, __ATOMIC_SEQ_CST);
	(void)syscall(SYS_futex, ready, FUTEX_WAKE, 1, NULL, NULL, 0);
}

int guard_await(uint32_t *ready, pid_t guard)
{
	const struct timespec pause = { .tv_nsec = DEATH_NS };

	while (!__atomic_load_n(ready, __ATOMIC_SEQ_CST)) {
		if (waitpid(guard, NULL, __WALL | WNOHANG))
			return refuse(ECHILD, "a guard of ours has died");
		(void)syscall(SYS_futex, ready, FUTEX_WAIT, 0, &pause, NULL, 0);
	}
	return 0;
}

void guard_send_away(pid_t guard)
{
	kill(guard, SIGKILL);
}

void guard_reap(pid_t guard)
{
	while (waitpid(guard, NULL, __WALL) < 0 && errno == EINTR)
		;
}

void guard_dismiss(pid_t guard)
{
	guard_send_away(guard);
	guard_reap(guard);
}
