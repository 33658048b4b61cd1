// SPDX-License-Identifier: GPL-2.0-only
/* Overlays of layers that other mounts hide: a lower one, the upper and the work directory, the place of all of it. */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static void make_overlay(const char *home, const char *name)
{
	char path[300], options[1000];

	for (const char *const *part = (const char *const[]){ "", "/low", "/up", "/work", "/merged", NULL }; *part;
	     part++) {
		snprintf(path, sizeof(path), "m/%s%s", name, *part);
		must(mkdir(path, 0755));
	}
	snprintf(path, sizeof(path), "m/%s/low/kept", name);
	write_text(path, "kept");
	snprintf(options, sizeof(options), "lowerdir=%s/m/%s/low,upperdir=%s/m/%s/up,workdir=%s/m/%s/work", home, name,
		 home, name, home, name);
	snprintf(path, sizeof(path), "%s/m/%s/merged", home, name);
	if (mount("overlay", path, "overlay", 0, options) < 0)
		skip("no overlay file systems here");
	snprintf(path, sizeof(path), "m/%s/merged/changed", name);
	write_text(path, "new");
}

static void hide(const char *path)
{
	must(mount("cover", path, "tmpfs", 0, NULL));
}

/* By a directory that was opened before it was hidden, too. */
static bool is_whole(int merged)
{
	char text[8] = "", changed[8] = "";
	int kept = openat(merged, "kept", O_RDONLY), new = openat(merged, "changed", O_RDONLY);
	bool whole = read(kept, text, sizeof(text) - 1) == 4 && read(new, changed, sizeof(changed) - 1) == 3 &&
		     !strcmp(text, "kept") && !strcmp(changed, "new");

	close(kept);
	close(new);
	return whole;
}

int main(void)
{
	char home[200];
	int first, second, third;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(getcwd(home, sizeof(home)) ? 0 : -1);
	must(mkdir("m", 0700));
	must(mount("layers", "m", "tmpfs", 0, NULL));
	make_overlay(home, "1");
	make_overlay(home, "2");
	make_overlay(home, "3");
	first = must(open("m/1/merged", O_RDONLY));
	second = must(open("m/2/merged", O_RDONLY));
	third = must(open("m/3", O_RDONLY));
	hide("m/1/low");
	write_text("m/1/low/kept", "no!!");
	hide("m/2/up");
	hide("m/2/work");
	must(mkdir("m/2/work/work", 0700));
	hide("m/3");

	checkpoint();

	CHECK(is_whole(first) && is_whole(second));
	CHECK(reads_text("m/1/low/kept", "no!!") && access("m/2/up/changed", F_OK) < 0 && access("m/3/low", F_OK) < 0);
	CHECK_EQUAL(umount("m/1/low"), 0);
	CHECK(reads_text("m/1/low/kept", "kept"));
	CHECK_EQUAL(umount("m/2/up"), 0);
	CHECK(reads_text("m/2/up/changed", "new"));
	write_text("m/2/merged/more", "more");
	CHECK(reads_text("m/2/up/more", "more"));
	CHECK_EQUAL(umount("m/3"), 0);
	CHECK(reads_text("m/3/merged/kept", "kept") && reads_text("m/3/up/changed", "new"));
	CHECK(faccessat(third, "up/changed", F_OK, 0) == 0);
	return 0;
}
