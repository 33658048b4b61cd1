// SPDX-License-Identifier: GPL-2.0-only
/* Ends of file that were typed ahead (Ctrl-D) stay ends of file: after a line, in the middle of one, and alone; other
 * line ends stay as well. */
#include "pty-open.h"

SUBJECT()

static void expect(int slave, const char *text)
{
	char got[64] = "";

	CHECK_EQUAL(read(slave, got, sizeof(got)), strlen(text));
	CHECK(!memcmp(got, text, strlen(text)));
}

int main(void)
{
	int slave, master = open_pair(&slave, O_NONBLOCK);
	struct termios settings;
	char byte;

	must(tcgetattr(slave, &settings));
	settings.c_cc[VEOL] = ';';
	settings.c_lflag &= ~(tcflag_t)ECHO;
	must(tcsetattr(slave, TCSANOW, &settings));
	CHECK_EQUAL(write(master, "line\nhalf\004\004end;more", 19), 19);
	sleep_ms(20);

	checkpoint();

	expect(slave, "line\n");
	expect(slave, "half");
	expect(slave, "");
	expect(slave, "end;");
	CHECK(read(slave, &byte, 1) == -1 && errno == EAGAIN);
	CHECK_EQUAL(write(master, "!\n", 2), 2);
	sleep_ms(20);
	expect(slave, "more!\n");
	return 0;
}
