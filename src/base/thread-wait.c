/* SPDX-License-Identifier: LGPL-2.1-only */
/* A thread that stops may take microseconds or, in uninterruptible sleep, seconds; waitpid(2) has no time limit of its
 * own. */
#include "base/thread-wait.h"

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"

#define YIELDS	    50 /* then it is not worth the CPU */
#define SHORT_TRIES 500
#define SHORT_US    50
#define LONG_US	    1000

int thread_wait(pid_t tid, const struct deadline *deadline, int *status)
{
	for (unsigned tries = 0;; tries++) {
		pid_t pid = waitpid(tid, status, __WALL | (deadline->at ? WNOHANG : 0));

		if (pid == tid)
			return 0;
		if (pid < 0 && errno != EINTR)
			return errno == ECHILD ? -ESRCH : -errno;
		if (deadline_passed(deadline))
			return -ETIMEDOUT;
		if (tries > YIELDS)
			usleep(tries > SHORT_TRIES ? LONG_US : SHORT_US);
		else
			sched_yield();
	}
}
