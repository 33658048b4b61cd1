// SPDX-License-Identifier: GPL-2.0-only
/* A removed file that is open through two mounts, of two namespaces, without and with another link of it. */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.options = "--link-remap")

static int removed, linked;

static int sandbox(void *arg)
{
	struct stat one, other;
	int fd, second;

	must(unshare(CLONE_NEWNS));
	must(umount("base/left"));
	must(mount("base/all/r", "base/right", NULL, MS_BIND, NULL));
	must(umount("base/all"));
	fd = must(open("base/right/removed", O_RDWR));
	second = must(open("base/right/linked", O_RDWR));
	must(unlink("base/right/removed"));
	must(unlink("base/right/linked"));

	wait_for_restore();

	CHECK(fstat(fd, &one) == 0 && fstat(removed, &other) == 0);
	CHECK(one.st_ino == other.st_ino && one.st_nlink == 0 && mount_of(fd) != mount_of(removed));
	CHECK(fstat(second, &one) == 0 && fstat(linked, &other) == 0);
	CHECK(one.st_ino == other.st_ino && one.st_nlink >= 1 && mount_of(second) != mount_of(linked));
	CHECK(mount_of(fd) == mount_of(second) && mount_of(removed) == mount_of(linked));
	CHECK(has_text(fd, "removed") && has_text(removed, "removed") && has_text(second, "linked"));
	return 0;
}

int main(void)
{
	pid_t child;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("base", 0700));
	must(mount("base", "base", "tmpfs", 0, NULL));
	must(mkdir("base/all", 0700));
	must(mount("all", "base/all", "tmpfs", 0, NULL));
	must(mkdir("base/all/l", 0700));
	must(mkdir("base/all/r", 0700));
	must(mkdir("base/left", 0700));
	must(mkdir("base/right", 0700));
	must(mount("base/all/l", "base/left", NULL, MS_BIND, NULL));
	removed = open_with_text("base/left/removed", "removed");
	linked = open_with_text("base/left/linked", "linked");
	must(link("base/all/l/removed", "base/all/r/removed"));
	must(link("base/all/l/linked", "base/all/r/linked"));
	must(link("base/all/l/linked", "base/all/third"));
	child = start_child(sandbox, NULL);
	must(close(removed));
	must(close(linked));
	while (access("base/all/r/linked", F_OK) == 0)
		sleep_ms(1);
	must(unlink("base/all/l/removed"));
	must(unlink("base/all/l/linked"));

	checkpoint_with(1);

	join_child(child, 0);
	CHECK(access("base/all/l/removed", F_OK) < 0 && access("base/all/r/linked", F_OK) < 0);
	return 0;
}
