// SPDX-License-Identifier: GPL-2.0-only
/* The signal that a child gets when its parent dies; also of a child with other ids, whose change resets it. */
#include "subject.h"

#include <sys/prctl.h>

SUBJECT()

static int grandchild(void *arg)
{
	int signal = 0;

	if (arg)
		must(syscall(SYS_setresuid, 1000, 0, 0));
	must(prctl(PR_SET_PDEATHSIG, SIGUSR2));
	wait_for_restore();
	must(prctl(PR_GET_PDEATHSIG, &signal));
	CHECK_EQUAL(signal, SIGUSR2);
	close(must(open(control_path(arg ? "b" : "a"), O_CREAT | O_WRONLY, 0600)));
	sleep(1000);
	return 0;
}

static int child(void *arg)
{
	start_child(grandchild, NULL);
	start_child(grandchild, "other ids");
	wait_for_restore();
	while (access(control_path("a"), F_OK) || access(control_path("b"), F_OK))
		sleep_ms(5);
	return 0;
}

int main(void)
{
	pid_t son;
	int status;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	son = start_child(child, NULL);

	checkpoint_with(3);

	join_child(son, 0);
	for (int i = 0; i < 2; i++) {
		must(wait(&status));
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR2);
	}
	return 0;
}
