// SPDX-License-Identifier: GPL-2.0-only
/* Terminals that are written and read without a pause, in both directions, in lines and raw: no byte is lost, none
 * comes twice. */
#include "pty-open.h"

SUBJECT(.seconds = 60)

#define AFTER 300
#define LAST  "last\n"

/* Numbered lines of rising length. */
static void write_lines(int fd)
{
	unsigned number = 0;
	char line[64];

	announce_waiter();
	for (unsigned left = AFTER; left; number++) {
		int size = snprintf(line, sizeof(line), "%u %.*s\n", number, (int)(number % 40),
				    "abcdefghijklmnopqrstuvwxyz0123456789+-*/");

		for (int at = 0; at < size;) {
			ssize_t put = write(fd, line + at, (size_t)(size - at));

			CHECK(put > 0);
			at += (int)put;
		}
		if (is_restored())
			left--;
	}
	CHECK_EQUAL(write(fd, LAST, strlen(LAST)), strlen(LAST));
}

static void read_lines(int fd)
{
	FILE *file = fdopen(fd, "r");
	unsigned wanted = 0, number;
	char line[128], again[64];

	CHECK(file);
	announce_waiter();
	for (;; wanted++) {
		CHECK(fgets(line, sizeof(line), file));
		if (!strcmp(line, LAST))
			break;
		CHECK_EQUAL(sscanf(line, "%u", &number), 1);
		CHECK_EQUAL(number, wanted);
		snprintf(again, sizeof(again), "%u %.*s\n", number, (int)(number % 40),
			 "abcdefghijklmnopqrstuvwxyz0123456789+-*/");
		CHECK(!strcmp(line, again));
	}
	CHECK(wanted > AFTER);
}

static int writer(void *fd)
{
	write_lines(*(int *)fd);
	/* The bytes on the way are gone with the last descriptor of the terminal. */
	sleep_ms(1000);
	return 0;
}

static int reader(void *fd)
{
	read_lines(*(int *)fd);
	return 0;
}

static int open_quiet(int *slave, bool raw)
{
	int master = open_pair(slave, 0);
	struct termios settings;

	must(tcgetattr(*slave, &settings));
	if (raw)
		cfmakeraw(&settings);
	settings.c_lflag &= ~(tcflag_t)ECHO;
	settings.c_oflag &= ~(tcflag_t)OPOST;
	must(tcsetattr(*slave, TCSANOW, &settings));
	return master;
}

int main(void)
{
	int masters[2], slaves[2];
	pid_t pids[8];
	unsigned n = 0;

	for (int i = 0; i < 2; i++) {
		masters[i] = open_quiet(&slaves[i], i);
		pids[n++] = start_child(writer, &masters[i]);
		pids[n++] = start_child(reader, &slaves[i]);
		pids[n++] = start_child(writer, &slaves[i]);
		pids[n++] = start_child(reader, &masters[i]);
	}

	checkpoint_with(n);

	while (n)
		join_child(pids[--n], 0);
	return 0;
}
