// SPDX-License-Identifier: GPL-2.0-only
/* Processes of one tree live in several UTS namespaces: that of the root, one of their own, that of the parent, that of
 * the outside. */
#include <sched.h>
#include <sys/utsname.h>

#include "subject.h"

SUBJECT()

static int outside;

static void check_name(const char *wanted)
{
	struct utsname names;

	CHECK(uname(&names) == 0);
	CHECK(!strcmp(names.nodename, wanted));
}

static int inherit(void *arg)
{
	close(outside);
	wait_for_restore();
	check_name("child");
	return 0;
}

static int own(void *arg)
{
	pid_t child;

	must(unshare(CLONE_NEWUTS));
	must(sethostname("child", 5));
	child = start_child(inherit, NULL);
	close(outside);
	wait_for_restore();
	check_name("child");
	/* The child sees what this one changes, nobody else does. */
	join_child(child, 0);
	CHECK(sethostname("changed", 7) == 0);
	return 0;
}

static int back(void *arg)
{
	must(setns(outside, CLONE_NEWUTS));
	close(outside);
	wait_for_restore();
	check_name(arg);
	return 0;
}

int main(void)
{
	struct utsname names;
	pid_t children[2];

	must(uname(&names));
	outside = must(open("/proc/self/ns/uts", O_RDONLY));
	must(unshare(CLONE_NEWUTS));
	must(sethostname("root", 4));
	children[0] = start_child(own, NULL);
	children[1] = start_child(back, names.nodename);
	close(outside);

	checkpoint_with(3);

	check_name("root");
	for (int i = 0; i < 2; i++)
		join_child(children[i], 0);
	check_name("root");
	return 0;
}
