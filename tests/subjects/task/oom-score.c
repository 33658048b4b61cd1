// SPDX-License-Identifier: GPL-2.0-only
/* oom_score_adj of a process and another one of its child. */
#include "subject.h"

SUBJECT()

static void set(const char *text)
{
	int fd = must(open("/proc/self/oom_score_adj", O_WRONLY));

	must(write(fd, text, strlen(text)));
	close(fd);
}

static void check(const char *wanted)
{
	int fd = must(open("/proc/self/oom_score_adj", O_RDONLY));
	char text[32] = "";

	must(read(fd, text, sizeof(text) - 1));
	close(fd);
	CHECK(!strcmp(text, wanted));
}

static int child(void *arg)
{
	set("777");
	wait_for_restore();
	check("777\n");
	return 0;
}

int main(void)
{
	pid_t pid;

	set("123");
	pid = start_child(child, NULL);

	checkpoint_with(1);

	check("123\n");
	join_child(pid, 0);
	return 0;
}
