// SPDX-License-Identifier: GPL-2.0-only
/* Files of the lower layer of an overlay that were removed or replaced there still count a name, but have none: they
 * are saved with their content. One of the upper layer that has another name keeps that. */
#include <sys/mount.h>

#include "subject.h"

SUBJECT(.dump_options = "--link-remap", .ignore = "fd", .not_ways = "unharmed") /* inodes of deleted files; the new name
	stays for the restore */

static void make(const char *name, const char *text)
{
	int fd = must(open(name, O_RDWR | O_CREAT, 0600));

	CHECK_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	must(close(fd));
}

static bool reads(int fd, const char *wanted)
{
	char text[32] = "";

	return pread(fd, text, sizeof(text) - 1, 0) >= 0 && !strcmp(text, wanted);
}

int main(void)
{
	struct stat one, two;

	must(mkdir("lower", 0700));
	must(mkdir("upper", 0700));
	must(mkdir("work", 0700));
	must(mkdir("merged", 0700));
	make("lower/removed", "removed");
	make("lower/replaced", "old");
	if (mount("none", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work") < 0)
		skip("no overlay file systems here");
	make("merged/upper", "upper");
	must(link("merged/upper", "merged/still"));
	int removed = must(open("merged/removed", O_RDONLY)), replaced = must(open("merged/replaced", O_RDONLY)),
	    upper = must(open("merged/upper", O_RDWR));
	must(unlink("merged/removed"));
	must(unlink("merged/upper"));
	make("merged/new", "new");
	must(rename("merged/new", "merged/replaced"));

	checkpoint();

	CHECK(reads(removed, "removed"));
	CHECK(reads(replaced, "old"));
	CHECK(reads(upper, "upper"));
	must(fstat(upper, &one));
	must(stat("merged/still", &two));
	CHECK_EQUAL(one.st_ino, two.st_ino);
	CHECK_EQUAL(access("merged/removed", F_OK), -1);
	CHECK(reads(must(open("merged/replaced", O_RDONLY)), "new"));
	must(umount2("merged", MNT_DETACH));
	return 0;
}
