// SPDX-License-Identifier: GPL-2.0-only
/* Two directories of a tmpfs are mounted, the whole of it is not: nobody could save the files of both. */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT(.refused = "another part of its file system is mounted elsewhere")

int main(void)
{
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("whole", 0700));
	must(mkdir("one", 0700));
	must(mkdir("two", 0700));
	must(mount("subject", "whole", "tmpfs", 0, NULL));
	must(mkdir("whole/one", 0700));
	must(mkdir("whole/two", 0700));
	must(mount("whole/one", "one", NULL, MS_BIND, NULL));
	must(mount("whole/two", "two", NULL, MS_BIND, NULL));
	must(umount2("whole", 0));
	checkpoint();
	return 0;
}
