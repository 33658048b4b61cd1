// SPDX-License-Identifier: GPL-2.0-only
/*
 * Controlling terminals of several sessions: one whose leader has closed all descriptors of it, one whose foreground
 * group is gone, one that has given its terminal up.
 */
#include "pty-open.h"

SUBJECT()

#define SESSIONS 3

static int masters[SESSIONS], slaves[SESSIONS];

/* When a leader of a session ends, what its terminal has not yet handed on to the master is thrown away. */
static void wait_until_read(void)
{
	while (access(control_path("read"), F_OK) < 0)
		sleep_ms(5);
}

static void close_all(void)
{
	for (int i = 0; i < SESSIONS; i++) {
		must(close(masters[i]));
		must(close(slaves[i]));
	}
}

/* It has its terminal, but no descriptor of it. */
static int without_descriptors(void *unused)
{
	int fd;

	must(setsid());
	must(ioctl(slaves[0], TIOCSCTTY, 0));
	close_all();
	wait_for_restore();
	fd = open("/dev/tty", O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQUAL(tcgetsid(fd), getpid());
	CHECK_EQUAL(tcgetpgrp(fd), getpgrp());
	CHECK_EQUAL(write(fd, "first", 5), 5);
	wait_until_read();
	return 0;
}

static int nothing(void *unused)
{
	must(setpgid(0, 0));
	return 0;
}

static int without_foreground(void *unused)
{
	int slave = dup(slaves[1]);
	pid_t child;

	must(setsid());
	must(ioctl(slave, TIOCSCTTY, 0));
	close_all();
	signal(SIGTTOU, SIG_IGN);
	child = fork();
	if (child == 0)
		_exit(setpgid(0, 0) || tcsetpgrp(slave, getpid()) ? 1 : 0);
	join_child(child, 0);
	wait_for_restore();
	CHECK_EQUAL(tcgetsid(slave), getpid());
	CHECK(!tcsetpgrp(slave, getpgrp()));
	CHECK_EQUAL(write(slave, "second", 6), 6);
	wait_until_read();
	return 0;
}

static int given_up(void *unused)
{
	int slave = dup(slaves[2]);

	must(setsid());
	must(ioctl(slave, TIOCSCTTY, 0));
	signal(SIGHUP, SIG_IGN);
	must(ioctl(slave, TIOCNOTTY));
	close_all();
	wait_for_restore();
	CHECK(open("/dev/tty", O_RDWR) == -1 && errno == ENXIO);
	CHECK_EQUAL(write(slave, "third", 5), 5);
	return 0;
}

static void expect(int master, const char *text)
{
	char got[32] = "";

	CHECK_EQUAL(read(master, got, sizeof(got)), strlen(text));
	CHECK(!strcmp(got, text));
}

int main(void)
{
	pid_t pids[SESSIONS];

	for (int i = 0; i < SESSIONS; i++)
		masters[i] = open_pair(&slaves[i], 0);
	pids[0] = start_child(without_descriptors, NULL);
	pids[1] = start_child(without_foreground, NULL);
	pids[2] = start_child(given_up, NULL);
	join_child(start_child(nothing, NULL), 0);

	checkpoint_with(3);

	expect(masters[0], "first");
	expect(masters[1], "second");
	expect(masters[2], "third");
	must(close(must(open(control_path("read"), O_WRONLY | O_CREAT, 0600))));
	for (int i = 0; i < SESSIONS; i++)
		join_child(pids[i], 0);
	return 0;
}
