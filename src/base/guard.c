/* SPDX-License-Identifier: LGPL-2.1-only */
/* What processes that watch over us have in common. */
#include "base/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"

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

int guard_await(const volatile bool *ready, pid_t guard)
{
	while (!*ready) {
		if (waitpid(guard, NULL, __WALL | WNOHANG))
			return refuse(ECHILD, "a guard of ours has died");
		sched_yield();
	}
	return 0;
}

void guard_dismiss(pid_t guard)
{
	kill(guard, SIGKILL);
	while (waitpid(guard, NULL, __WALL) < 0 && errno == EINTR)
		;
}
