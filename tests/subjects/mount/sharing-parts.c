// SPDX-License-Identifier: GPL-2.0-only
/* Two directories of a mount that is gone are in one peer group, a third one is its slave: none shows what the others
 * show (systemd-nspawn makes /sys so). */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

/* The number behind "shared:" or "master:" in the line of the mount; 0: it has none. */
static unsigned find_group(const char *name, const char *word)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	unsigned group = 0;
	char line[4096];

	CHECK(file);
	while (file && fgets(line, sizeof(line), file)) {
		const char *found = strstr(line, word);
		char *point = strstr(line, name);

		if (point && point[strlen(name)] == ' ' && found)
			group = (unsigned)strtoul(found + strlen(word), NULL, 10);
	}
	fclose(file);
	return group;
}

static void bind_part(const char *from, const char *to)
{
	must(mkdir(to, 0700));
	must(mount(from, to, NULL, MS_BIND, NULL));
}

int main(void)
{
	unsigned group;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("whole", 0700));
	must(mount("subject", "whole", "sysfs", 0, NULL));
	must(mount(NULL, "whole", NULL, MS_SHARED, NULL));
	bind_part("whole/bus", "part-one");
	bind_part("whole/kernel", "part-two");
	bind_part("whole/devices", "part-three");
	must(mount(NULL, "part-three", NULL, MS_SLAVE, NULL));
	must(umount2("whole", 0));
	CHECK(find_group("/part-one", "shared:") && find_group("/part-two", "shared:"));

	checkpoint();

	group = find_group("/part-one", "shared:");
	CHECK(group && find_group("/part-two", "shared:") == group && find_group("/part-three", "master:") == group);
	CHECK(!find_group("/part-three", "shared:"));
	CHECK(access("part-two/mm", F_OK) == 0 && access("part-one/mm", F_OK) < 0);
	return 0;
}
