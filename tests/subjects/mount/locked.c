// SPDX-License-Identifier: GPL-2.0-only
/* A user namespace that has got its mounts from outside (systemd-nspawn -U): nobody there can take off what lies upon a
 * tmpfs with devices in it, so its files cannot be seen by a copy of it alone; the devices can be opened. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static int mapper(void *arg)
{
	int *ends = arg;
	char c;

	must(read(ends[0], &c, 1));
	write_id_maps(getppid(), "0 100000 65536", "0 100000 65536");
	return 0;
}

int main(void)
{
	int ends[2], null;
	pid_t pid;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(chmod(".", 0755));
	must(mkdir("t", 0755));
	must(mount("outer", "t", "tmpfs", 0, "uid=100000,gid=100000,mode=755"));
	must(mkdir("t/dir", 0755));
	write_text("t/dir/hidden", "hidden");
	must(mount("inner", "t/dir", "tmpfs", 0, "mode=755"));
	write_text("t/dir/seen", "seen");
	must(chmod("t/dir/seen", 0644));
	must(mkdir("t/own", 0755));
	write_text("t/own/file", "file");
	must(mount("t/own", "t/own", NULL, MS_BIND, NULL));
	must(chown("t/own", 100000, 100000));
	must(chown("t/own/file", 100005, 100000));
	must(chmod("t/own/file", 0644));
	must(mknod("t/null", S_IFCHR | 0666, makedev(1, 3)));
	must(chmod("t/null", 0666));
	must(pipe(ends));
	pid = start_child(mapper, ends);
	must(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	must(write(ends[1], "", 1));
	join_child(pid, 0);
	must(setgid(0));
	must(setuid(0));
	must(prctl(PR_SET_DUMPABLE, 1));
	null = must(open("t/null", O_RDWR));

	checkpoint();

	CHECK(reads_text("t/dir/seen", "seen") && reads_text("t/own/file", "file"));
	CHECK_EQUAL(write(null, "x", 1), 1);
	close(null);
	CHECK((null = open("t/null", O_RDWR)) >= 0);
	close(null);
	write_text("t/own/new", "new");
	CHECK(access("t/dir/hidden", F_OK) < 0);
	return 0;
}
