// SPDX-License-Identifier: GPL-2.0-only
/* A session with a pty as controlling terminal: the foreground group, job control by a character, /dev/tty, hangup. */
#include <sys/ioctl.h>
#include <termios.h>

#include "subject.h"

SUBJECT()

static int master;
static volatile sig_atomic_t interrupted, hung_up;

static void note(int number)
{
	if (number == SIGINT)
		interrupted = 1;
	else
		hung_up = 1;
}

static int foreground(void *arg)
{
	signal(SIGINT, note);
	wait_for_restore();
	while (!interrupted)
		sleep_ms(1);
	return 0;
}

static int leader(void *arg)
{
	must(setsid());

	int slave = must(open((char *)arg, O_RDWR)), current = must(open("/dev/tty", O_RDWR));
	pid_t child;

	must(close(master));
	signal(SIGTTOU, SIG_IGN);
	signal(SIGHUP, note);
	child = start_child(foreground, NULL);
	must(fcntl(current, F_SETOWN, getpid())); /* as emacs does */
	must(setpgid(child, child));
	must(tcsetpgrp(slave, child));

	wait_for_restore();
	CHECK_EQUAL(tcgetpgrp(slave), child);
	CHECK_EQUAL(tcgetpgrp(current), child);
	CHECK_EQUAL(fcntl(current, F_GETOWN), getpid());
	CHECK_EQUAL(tcgetsid(slave), getpid());
	CHECK_EQUAL(write(current, "x", 1), 1);
	join_child(child, 0);
	CHECK_EQUAL(write(current, "y", 1), 1);
	while (!hung_up)
		sleep_ms(1);
	return 0;
}

int main(void)
{
	char name[64], text[64];

	master = must(posix_openpt(O_RDWR | O_NOCTTY));
	must(grantpt(master));
	must(unlockpt(master));
	must(ptsname_r(master, name, sizeof(name)));

	pid_t child = start_child(leader, name);

	checkpoint_with(2);

	CHECK_EQUAL(read(master, text, 64), 1);
	memset(text, 0, sizeof(text));
	must(write(master, "\003", 1));
	/* After the echo: the child has got its signal. */
	while (must(read(master, text, 64)) > 0 && !memchr(text, 'y', 64))
		memset(text, 0, sizeof(text));
	must(close(master));
	join_child(child, 0);
	return 0;
}
