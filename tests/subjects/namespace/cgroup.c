// SPDX-License-Identifier: GPL-2.0-only
/* A process in a cgroup namespace of its own sees itself at the root of every hierarchy, and so does a child; one that
 * came back sees what the outside sees. */
#include <sched.h>

#include "subject.h"

SUBJECT()

static void read_own(char *text, size_t room)
{
	int fd = must(open("/proc/self/cgroup", O_RDONLY));
	ssize_t size = read(fd, text, room - 1);

	CHECK(size > 0);
	text[size] = 0;
	close(fd);
}

static void check_root(void)
{
	char text[8192], *line, *rest = text;

	read_own(text, sizeof(text));
	while ((line = strsep(&rest, "\n")) && *line)
		CHECK(!strcmp(strrchr(line, ':'), ":/"));
}

static int child(void *arg)
{
	wait_for_restore();
	check_root();
	return 0;
}

static int back(void *arg)
{
	char now[8192];

	must(setns(*(int *)arg, CLONE_NEWCGROUP));
	close(*(int *)arg);
	wait_for_restore();
	read_own(now, sizeof(now));
	CHECK(!strcmp(now, (char *)arg + sizeof(int)));
	return 0;
}

int main(void)
{
	struct {
		int outside;
		char before[8192];
	} about;
	pid_t children[2];

	read_own(about.before, sizeof(about.before));
	about.outside = must(open("/proc/self/ns/cgroup", O_RDONLY));
	must(unshare(CLONE_NEWCGROUP));
	check_root();
	children[1] = start_child(back, &about);
	close(about.outside);
	children[0] = start_child(child, NULL);

	checkpoint_with(2);

	check_root();
	for (int i = 0; i < 2; i++)
		join_child(children[i], 0);
	return 0;
}
