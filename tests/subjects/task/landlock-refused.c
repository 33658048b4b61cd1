// SPDX-License-Identifier: GPL-2.0-only
/* A thread that Landlock restricts would be without restrictions: refused, also if it is another thread than the first,
 * and another user. */
#include <linux/landlock.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "subject.h"

SUBJECT(.refused = "is restricted by rules of Landlock", .ignore = "preflight")

static void *restricted(void *arg)
{
	struct landlock_ruleset_attr rules = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_CHAR };
	int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);

	CHECK(fd >= 0);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must((int)syscall(SYS_landlock_restrict_self, fd, 0));
	must(close(fd));
	wait_for_restore();
	return NULL;
}

static int child(void *arg)
{
	pthread_t thread;

	must(setresgid(65534, 65534, 65534));
	must(setresuid(65534, 65534, 65534));
	pthread_create(&thread, NULL, restricted, NULL);
	wait_for_restore();
	pthread_join(thread, NULL);
	return 0;
}

int main(void)
{
	pid_t pid;

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
		skip("this kernel has no Landlock");
	pid = start_child(child, NULL);

	checkpoint_with(2);

	join_child(pid, 0);
	return 0;
}
