// SPDX-License-Identifier: GPL-2.0-only
/* Peer groups and their slaves still hear of each other's mounts, private mounts do not; within a namespace and across
 * two. */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static bool has_mark(const char *where)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/sub/mark", where);
	return access(path, F_OK) == 0;
}

static void put_mark(const char *where)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/sub", where);
	must(mount("mark", path, "tmpfs", 0, NULL));
	snprintf(path, sizeof(path), "%s/sub/mark", where);
	must(close(must(open(path, O_WRONLY | O_CREAT, 0600))));
}

static void remove_mark(const char *where)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/sub", where);
	must(umount2(path, MNT_DETACH));
}

static void bind(const char *from, const char *to)
{
	must(mkdir(to, 0700));
	must(mount(from, to, NULL, MS_BIND, NULL));
}

/* In a copy of the namespace: its mounts are peers of ours, but for one that became a slave. */
static int live_apart(void)
{
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "slave", NULL, MS_SLAVE, NULL));
	wait_for_restore();
	while (access("made", F_OK) < 0)
		usleep(1000);
	CHECK(has_mark("base") && has_mark("peer") && has_mark("slave") && has_mark("both") && !has_mark("private"));
	must(close(must(open("seen", O_WRONLY | O_CREAT, 0600))));
	while (access("removed", F_OK) < 0)
		usleep(1000);
	put_mark("peer");
	return 0;
}

int main(void)
{
	pid_t child;
	int status;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("base", 0700));
	must(mount("subject", "base", "tmpfs", 0, NULL));
	must(mkdir("base/sub", 0700));
	must(mount(NULL, "base", NULL, MS_SHARED, NULL));
	bind("base", "peer");
	bind("base", "slave");
	must(mount(NULL, "slave", NULL, MS_SLAVE, NULL));
	bind("base", "both");
	must(mount(NULL, "both", NULL, MS_SLAVE, NULL));
	must(mount(NULL, "both", NULL, MS_SHARED, NULL));
	bind("both", "below");
	bind("base", "private");
	must(mount(NULL, "private", NULL, MS_PRIVATE, NULL));
	bind("base", "unbindable");
	must(mount(NULL, "unbindable", NULL, MS_UNBINDABLE, NULL));
	child = must(fork());
	if (child == 0)
		_exit(live_apart());

	checkpoint_with(1);

	put_mark("peer");
	CHECK(has_mark("base") && has_mark("slave") && has_mark("both") && has_mark("below"));
	CHECK(!has_mark("private") && !has_mark("unbindable"));
	must(close(must(open("made", O_WRONLY | O_CREAT, 0600))));
	while (access("seen", F_OK) < 0)
		usleep(1000);
	remove_mark("base");
	CHECK(!has_mark("peer") && !has_mark("slave") && !has_mark("below"));
	/* Slaves tell their masters nothing, but their own peers. */
	put_mark("both");
	CHECK(has_mark("below") && !has_mark("base") && !has_mark("slave"));
	remove_mark("both");
	must(mkdir("to", 0700));
	CHECK(mount("unbindable", "to", NULL, MS_BIND, NULL) < 0 && errno == EINVAL);
	must(close(must(open("removed", O_WRONLY | O_CREAT, 0600))));
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	/* What the child mounted in its namespace came here. */
	CHECK(has_mark("base") && has_mark("slave") && !has_mark("private"));
	return 0;
}
