// SPDX-License-Identifier: GPL-2.0-only
/* The login uid, which a child has set to another one. */
#include "subject.h"

SUBJECT()

static void check(const char *wanted)
{
	int fd = must(open("/proc/self/loginuid", O_RDONLY));
	char text[32] = "";

	must(read(fd, text, sizeof(text) - 1));
	close(fd);
	CHECK(!strcmp(text, wanted));
}

static int child(void *arg)
{
	int fd = must(open("/proc/self/loginuid", O_WRONLY));

	must(write(fd, "4711", 4));
	close(fd);
	wait_for_restore();
	check("4711");
	return 0;
}

int main(void)
{
	pid_t pid;
	int fd = open("/proc/self/loginuid", O_RDONLY);

	if (fd < 0)
		skip("this kernel has no loginuid");
	close(fd);
	pid = start_child(child, NULL);

	checkpoint_with(1);

	join_child(pid, 0);
	return 0;
}
