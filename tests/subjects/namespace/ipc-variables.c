// SPDX-License-Identifier: GPL-2.0-only
/* The limits of an IPC namespace are kept, and those of the outside are left alone. */
#include <sched.h>

#include "subject.h"

SUBJECT()

static const char *const variables[][2] = {
	{ "kernel/msgmax", "9000" },
	{ "kernel/msgmnb", "20000" },
	{ "kernel/msgmni", "555" },
	{ "kernel/shmmax", "1234567" },
	{ "kernel/shmall", "77777" },
	{ "kernel/shmmni", "99" },
	{ "kernel/sem", "100\t20000\t50\t60" },
	{ "kernel/shm_rmid_forced", "1" },
	{ "fs/mqueue/queues_max", "33" },
	{ "fs/mqueue/msg_max", "12" },
	{ "fs/mqueue/msgsize_max", "4000" },
	{ "fs/mqueue/msg_default", "6" },
	{ "fs/mqueue/msgsize_default", "300" },
	{ "kernel/shm_next_id", "17" },
};

#define N (ARRAY_SIZE(variables))

static int open_variable(size_t i, int flags)
{
	char path[100];

	snprintf(path, sizeof(path), "/proc/sys/%s", variables[i][0]);
	return must(open(path, flags));
}

int main(void)
{
	must(unshare(CLONE_NEWIPC));
	for (size_t i = 0; i < N; i++) {
		int fd = open_variable(i, O_WRONLY);

		must(write(fd, variables[i][1], strlen(variables[i][1])));
		close(fd);
	}

	checkpoint();

	for (size_t i = 0; i < N; i++) {
		int fd = open_variable(i, O_RDONLY);
		char text[100] = "";

		CHECK(read(fd, text, sizeof(text) - 1) > 0);
		text[strcspn(text, "\n")] = 0;
		CHECK(!strcmp(text, variables[i][1]));
		close(fd);
	}
	return 0;
}
