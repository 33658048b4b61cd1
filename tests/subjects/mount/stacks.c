// SPDX-License-Identifier: GPL-2.0-only
/* Mounts upon mounts, in places that are covered from above: taken off one by one, each shows its own file. */
#include <sched.h>
#include <sys/mount.h>

#include "subject.h"

SUBJECT()

static const char *const places[] = { "top/in", "top/in", "top/in/deep", "top", "top", "top/in", "top/in/deep/er" };
#define N_PLACES (ARRAY_SIZE(places))

static void make_below(size_t i)
{
	char name[64];
	int fd;

	(void)mkdir("top/in", 0700);
	(void)mkdir("top/in/deep", 0700);
	(void)mkdir("top/in/deep/er", 0700);
	must(mount("none", places[i], "tmpfs", 0, NULL));
	snprintf(name, sizeof(name), "%s/number%zu", places[i], i);
	fd = must(open(name, O_CREAT | O_WRONLY, 0600));
	must(close(fd));
}

int main(void)
{
	char name[64];

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mkdir("top", 0700));
	for (size_t i = 0; i < N_PLACES; i++)
		make_below(i);

	checkpoint();

	for (size_t i = N_PLACES; i-- > 0;) {
		snprintf(name, sizeof(name), "%s/number%zu", places[i], i);
		CHECK(access(name, F_OK) == 0 && umount(places[i]) == 0);
	}
	return 0;
}
