// SPDX-License-Identifier: GPL-2.0-only
/* Files below /proc: of the process itself, of a child, of a dead process, and of the system. */
#include "subject.h"

SUBJECT()

static int work(void *arg)
{
	wait_for_restore();
	return 0;
}

static int quit(void *arg)
{
	return 0;
}

static int open_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return must(open(path, O_RDONLY));
}

int main(void)
{
	pid_t child = start_child(work, NULL), brief = start_child(quit, NULL);
	int self = must(open("/proc/self/status", O_RDONLY)), other = open_of(child, "comm"),
	    dead = open_of(brief, "status");
	int folder = open_of(brief, "task"), system = must(open("/proc/uptime", O_RDONLY)),
	    own = must(open("/proc/self/fd", O_RDONLY));
	char text[256], line[64];

	join_child(brief, 0);

	checkpoint_with(1);

	CHECK(read(self, text, sizeof(text) - 1) > 0);
	must(lseek(self, 0, SEEK_SET));
	snprintf(line, sizeof(line), "Name:\t");
	CHECK(!memcmp(text, line, strlen(line)));
	CHECK(read(other, text, sizeof(text)) > 0);
	CHECK_EQUAL(read(dead, text, sizeof(text)), -1);
	CHECK_EQUAL(errno, ESRCH);
	CHECK_EQUAL(openat(folder, "1", O_RDONLY), -1);
	CHECK(read(system, text, sizeof(text)) > 0);
	CHECK(faccessat(own, "0", F_OK, 0) == 0);
	join_child(child, 0);
	return 0;
}
