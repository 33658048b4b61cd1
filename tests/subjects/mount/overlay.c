// SPDX-License-Identifier: GPL-2.0-only
/* An overlay whose layers lie in memory is put together again; a directory that was removed while it was mounted
 * elsewhere stays mounted. */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

int main(void)
{
	char cwd[200], options[1000], text[32] = "";
	int fd;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	must(mkdir("m", 0700));
	must(mount("layers", "m", "tmpfs", 0, NULL));
	must(mkdir("m/low", 0755));
	must(mkdir("m/up", 0755));
	must(mkdir("m/work", 0755));
	must(mkdir("merged", 0755));
	must(mkdir("again", 0755));
	write_text("m/low/kept", "kept");
	write_text("m/low/changed", "old");
	write_text("m/low/removed", "removed");
	snprintf(options, sizeof(options), "lowerdir=%s/m/low,upperdir=%s/m/up,workdir=%s/m/work", cwd, cwd, cwd);
	if (mount("overlay", "merged", "overlay", 0, options) < 0)
		skip("no overlay file systems here");
	write_text("merged/changed", "new");
	must(unlink("merged/removed"));
	must(mount("merged", "again", NULL, MS_BIND, NULL));
	fd = must(open("merged/kept", O_RDONLY));
	must(mkdir("m/gone", 0755));
	must(mkdir("place", 0755));
	must(mount("m/gone", "place", NULL, MS_BIND, NULL));
	must(rmdir("m/gone"));

	checkpoint();

	CHECK(reads_text("merged/kept", "kept") && reads_text("merged/changed", "new") &&
	      access("merged/removed", F_OK) < 0);
	CHECK(read(fd, text, sizeof(text)) == 4 && !memcmp(text, "kept", 4));
	write_text("again/more", "more");
	CHECK(reads_text("merged/more", "more") && reads_text("m/up/more", "more"));
	CHECK(reads_text("m/low/changed", "old") && reads_text("m/low/removed", "removed"));
	CHECK(mkdir("place/x", 0700) < 0 && errno == ENOENT);
	CHECK(access("m/gone", F_OK) < 0 && umount("place") == 0);
	return 0;
}
