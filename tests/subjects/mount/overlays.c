// SPDX-License-Identifier: GPL-2.0-only
/* Overlays of overlays are made in the order in which they need each other, whatever their places are called. */
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "subject.h"
#include "tools.h"

SUBJECT()

static void overlay(const char *base, const char *lower, const char *place)
{
	char options[1024], upper[64], work[64];

	snprintf(upper, sizeof(upper), "m/upper-%s", place);
	snprintf(work, sizeof(work), "m/work-%s", place);
	must(mkdir(upper, 0700));
	must(mkdir(work, 0700));
	snprintf(options, sizeof(options), "lowerdir=%s/m/%s,upperdir=%s/%s,workdir=%s/%s", base, lower, base, upper,
		 base, work);
	snprintf(upper, sizeof(upper), "m/%s", place);
	(void)mkdir(upper, 0700);
	must(mount("subject", upper, "overlay", 0, options));
}

static void check(const char *name, const char *wanted)
{
	char text[16] = "";
	int fd = open(name, O_RDONLY);

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0 && strcmp(text, wanted) == 0);
	close(fd);
}

int main(void)
{
	char base[512];

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("m", 0700));
	must(mount("subject", "m", "tmpfs", 0, NULL));
	CHECK(getcwd(base, sizeof(base)) != NULL);
	must(mkdir("m/low", 0700));
	write_text("m/low/file", "low");
	overlay(base, "low", "b");
	write_text("m/b/of-b", "b");
	overlay(base, "b", "longer");
	write_text("m/longer/of-longer", "longer");
	must(mkdir("m/bound", 0700));
	must(mount("m/b", "m/bound", NULL, MS_BIND, NULL));
	overlay(base, "bound", "the-longest");
	overlay(base, "b", "low"); /* over what is the lowest of all */
	write_text("m/low/top", "top");

	checkpoint();

	check("m/low/file", "low");
	check("m/low/of-b", "b");
	check("m/longer/of-longer", "longer");
	check("m/the-longest/of-b", "b");
	check("m/low/top", "top");
	check("m/longer/of-b", "b");
	must(umount("m/low"));
	CHECK(access("m/low/of-b", F_OK) < 0);
	check("m/low/file", "low");
	return 0;
}
