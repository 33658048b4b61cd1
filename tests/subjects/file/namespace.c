// SPDX-License-Identifier: GPL-2.0-only
/* Namespace files lead to the namespaces that they led to. */
#include <sched.h>

#include "subject.h"

SUBJECT()

int main(void)
{
	static const char *const names[] = { "net", "ipc", "uts", "pid", "mnt", "user", "cgroup", "time" };
	int fds[8];
	struct stat st, now;
	char path[64];

	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		fds[i] = must(open(path, O_RDONLY));
	}

	checkpoint();

	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		must(stat(path, &st));
		must(fstat(fds[i], &now));
		CHECK(st.st_ino == now.st_ino && st.st_dev == now.st_dev);
	}
	CHECK_EQUAL(setns(fds[2], CLONE_NEWUTS), 0);
	return 0;
}
