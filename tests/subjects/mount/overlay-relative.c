// SPDX-License-Identifier: GPL-2.0-only
/* Overlays of relative paths: beside their layers, and somewhere else, made where a task is; one that is read-only. */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

int main(void)
{
	char home[200], path[300];

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(getcwd(home, sizeof(home)) ? 0 : -1);
	must(mkdir("m", 0700));
	must(mkdir("far", 0700));
	must(mkdir("decoy", 0700));
	must(mkdir("decoy/low", 0700));
	must(mount("layers", "m", "tmpfs", 0, NULL));
	must(chdir("m"));
	for (const char *const *name = (const char *const[]){ "a", "a/low", "a/second", "a/up", "a/work", "a/merged",
							      "up", "work", NULL };
	     *name; name++)
		must(mkdir(*name, 0755));
	write_text("a/low/kept", "kept");
	write_text("a/low/changed", "old");
	write_text("a/second/deep", "deep");
	must(chdir("a"));
	if (mount("overlay", "merged", "overlay", 0, "lowerdir=low:second,upperdir=up,workdir=work") < 0)
		skip("no overlay file systems here");
	snprintf(path, sizeof(path), "%s/far", home);
	must(mount("overlay", path, "overlay", 0, "lowerdir=low:second"));
	write_text("merged/changed", "new");
	must(chdir("low"));

	checkpoint();

	CHECK_EQUAL(chdir(home), 0);
	CHECK(reads_text("m/a/merged/kept", "kept") && reads_text("m/a/merged/changed", "new") &&
	      reads_text("m/a/merged/deep", "deep"));
	CHECK(reads_text("far/changed", "old") && reads_text("far/deep", "deep"));
	write_text("m/a/merged/more", "more");
	CHECK(reads_text("m/a/up/more", "more") && access("m/up/more", F_OK) < 0);
	CHECK(open("far/more", O_RDWR | O_CREAT, 0600) < 0 && errno == EROFS);
	return 0;
}
