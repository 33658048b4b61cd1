// SPDX-License-Identifier: GPL-2.0-only
/* Terminals of the machine itself, console, virtual and serial ones, are opened again, each with the settings that it
 * had. */
#include <linux/kd.h>

#include "pty-open.h"

SUBJECT()

static const char *const names[] = { "/dev/console", "/dev/tty11", "/dev/tty12", "/dev/ttyS1" };

#define N_NAMES (ARRAY_SIZE(names))

/* Not there on this machine: -1. */
static int open_terminal(const char *name)
{
	struct termios settings;
	int fd = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 && tcgetattr(fd, &settings) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int main(void)
{
	int fds[N_NAMES], found = 0;
	tcflag_t was[N_NAMES];

	for (size_t i = 0; i < N_NAMES; i++) {
		struct termios settings;

		fds[i] = open_terminal(names[i]);
		if (fds[i] < 0)
			continue;
		found++;
		must(tcgetattr(fds[i], &settings));
		was[i] = settings.c_lflag;
	}
	if (!found)
		skip("this machine has no terminal");

	checkpoint();

	for (size_t i = 0; i < N_NAMES; i++) {
		struct stat st, wanted;
		struct termios settings;

		if (fds[i] < 0)
			continue;
		CHECK(!fstat(fds[i], &st) && !stat(names[i], &wanted));
		CHECK(st.st_rdev == wanted.st_rdev);
		CHECK(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
		CHECK(!tcgetattr(fds[i], &settings));
		CHECK_EQUAL(settings.c_lflag, was[i]);
	}
	return 0;
}
