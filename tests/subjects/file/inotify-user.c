// SPDX-License-Identifier: GPL-2.0-only
/* Inotify files count against the limit of their user, not of root. */
#include <sys/inotify.h>
#include <sys/random.h>

#include "subject.h"

SUBJECT()

static unsigned limit;

/* How many more this user may have; all are closed again. */
static unsigned count_left(void)
{
	unsigned n = 0;
	int fds[4096];

	while (n < 4096 && (fds[n] = inotify_init()) >= 0)
		n++;
	for (unsigned i = 0; i < n; i++)
		must(close(fds[i]));
	return n;
}

int main(void)
{
	char text[32] = { 0 };
	uid_t user;
	int file = open("/proc/sys/fs/inotify/max_user_instances", O_RDONLY);

	if (file < 0 || read(file, text, sizeof(text) - 1) <= 0)
		skip("no limit of inotify files to be read");
	must(close(file));
	limit = (unsigned)atoi(text);
	if (limit < 20 || limit > 1000)
		skip("the limit of inotify files is %u", limit);
	must(chmod(".", 0777));
	/* The limits are the same for all rooms of this machine: a user of its own. */
	must(getrandom(&user, sizeof(user), 0));
	user = 100000 + user % 100000000;
	must(setresuid(user, user, user));
	if (count_left() != limit)
		skip("user %u has other inotify files", user);
	for (int i = 0; i < 10; i++)
		must(inotify_init1(IN_NONBLOCK));

	checkpoint();

	CHECK_EQUAL(count_left(), limit - 10);
	return 0;
}
