// SPDX-License-Identifier: GPL-2.0-only
/* An overlay whose layers lie in memory is put together again; a directory that was removed while it was mounted
 * elsewhere stays mounted. */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static void write_file(const char *name, const char *text)
{
	int fd = must(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600));

	CHECK_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	must(close(fd));
}

static bool reads(const char *name, const char *wanted)
{
	int fd = open(name, O_RDONLY);
	char text[32] = "";
	bool same = fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0 && !strcmp(text, wanted);

	if (fd >= 0)
		close(fd);
	return same;
}

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
	write_file("m/low/kept", "kept");
	write_file("m/low/changed", "old");
	write_file("m/low/removed", "removed");
	snprintf(options, sizeof(options), "lowerdir=%s/m/low,upperdir=%s/m/up,workdir=%s/m/work", cwd, cwd, cwd);
	if (mount("overlay", "merged", "overlay", 0, options) < 0)
		skip("no overlay file systems here");
	write_file("merged/changed", "new");
	must(unlink("merged/removed"));
	must(mount("merged", "again", NULL, MS_BIND, NULL));
	fd = must(open("merged/kept", O_RDONLY));
	must(mkdir("m/gone", 0755));
	must(mkdir("place", 0755));
	must(mount("m/gone", "place", NULL, MS_BIND, NULL));
	must(rmdir("m/gone"));

	checkpoint();

	CHECK(reads("merged/kept", "kept") && reads("merged/changed", "new") && access("merged/removed", F_OK) < 0);
	CHECK(read(fd, text, sizeof(text)) == 4 && !memcmp(text, "kept", 4));
	write_file("again/more", "more");
	CHECK(reads("merged/more", "more") && reads("m/up/more", "more"));
	CHECK(reads("m/low/changed", "old") && reads("m/low/removed", "removed"));
	CHECK(mkdir("place/x", 0700) < 0 && errno == ENOENT);
	CHECK(access("m/gone", F_OK) < 0 && umount("place") == 0);
	return 0;
}
