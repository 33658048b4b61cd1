// SPDX-License-Identifier: GPL-2.0-only
/* Children whose parent gets another signal than SIGCHLD at their end, or none (clone(2)). */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "subject.h"

SUBJECT()

static pid_t clone_child(int signal, int status)
{
	pid_t pid = (pid_t)must((int)syscall(SYS_clone, signal, NULL, NULL, NULL, NULL));

	if (pid == 0) {
		wait_for_restore();
		_exit(status);
	}
	return pid;
}

int main(void)
{
	pid_t silent, other, usual;
	siginfo_t info;
	sigset_t set;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	silent = clone_child(0, 3);
	other = clone_child(SIGUSR2, 4);
	usual = clone_child(SIGCHLD, 5);

	checkpoint_with(3);

	CHECK_EQUAL(waitpid(silent, &status, __WCLONE), silent);
	CHECK_EQUAL(WEXITSTATUS(status), 3);
	CHECK(waitpid(other, &status, 0) < 0 && errno == ECHILD);
	CHECK_EQUAL(waitpid(other, &status, __WALL), other);
	CHECK_EQUAL(WEXITSTATUS(status), 4);
	CHECK_EQUAL(sigwaitinfo(&(sigset_t){ { 1ul << (SIGUSR2 - 1) } }, &info), SIGUSR2);
	CHECK_EQUAL(info.si_pid, other);
	CHECK_EQUAL(waitpid(usual, &status, 0), usual);
	CHECK_EQUAL(WEXITSTATUS(status), 5);
	CHECK_EQUAL(sigwaitinfo(&(sigset_t){ { 1ul << (SIGCHLD - 1) } }, &info), SIGCHLD);
	CHECK_EQUAL(info.si_pid, usual);
	return 0;
}
