// SPDX-License-Identifier: GPL-2.0-only
/* A pty pair: settings, size, packet mode, and what waits in both directions, whole lines and the start of one. */
#include <sys/ioctl.h>
#include <termios.h>

#include "subject.h"

SUBJECT()

static int open_pair(int *slave, int flags)
{
	int master = must(posix_openpt(O_RDWR | O_NOCTTY));

	must(grantpt(master));
	must(unlockpt(master));
	*slave = must(open(ptsname(master), O_RDWR | O_NOCTTY | flags));
	return master;
}

int main(void)
{
	int slave, raw_slave, packets, on = 1, master = open_pair(&slave, O_NONBLOCK),
				       raw = open_pair(&raw_slave, O_NONBLOCK);
	struct winsize size = { 33, 77, 5, 6 }, now_size;
	struct termios t, now;
	char text[64];

	must(tcgetattr(slave, &t));
	t.c_cc[VINTR] = 7;
	t.c_lflag &= ~(tcflag_t)ECHO;
	must(tcsetattr(slave, TCSANOW, &t));
	must(ioctl(master, TIOCSWINSZ, &size));
	must(write(master, "one\ntwo\nthr", 11));
	must(write(slave, "out\n", 4));

	must(tcgetattr(raw_slave, &t));
	cfmakeraw(&t);
	must(tcsetattr(raw_slave, TCSANOW, &t));
	must(ioctl(raw, TIOCPKT, &on));
	must(write(raw, "\003\r\n\004", 4));
	must(write(raw_slave, "a\nb", 3));
	sleep_ms(20);

	checkpoint();

	must(tcgetattr(slave, &now));
	CHECK_EQUAL(now.c_cc[VINTR], 7);
	CHECK(now.c_lflag & ICANON && !(now.c_lflag & ECHO));
	must(ioctl(slave, TIOCGWINSZ, &now_size));
	CHECK(!memcmp(&size, &now_size, sizeof(size)));
	CHECK_EQUAL(read(slave, text, 64), 4);
	CHECK(!memcmp(text, "one\n", 4));
	CHECK_EQUAL(read(slave, text, 64), 4);
	CHECK(!memcmp(text, "two\n", 4));
	CHECK_EQUAL(read(slave, text, 64), -1);
	CHECK_EQUAL(errno, EAGAIN);
	must(write(master, "ee\n", 3));
	sleep_ms(20);
	CHECK_EQUAL(read(slave, text, 64), 6);
	CHECK(!memcmp(text, "three\n", 6));
	CHECK_EQUAL(read(master, text, 64), 5);
	CHECK(!memcmp(text, "out\r\n", 5));

	must(ioctl(raw, TIOCGPKT, &packets));
	CHECK_EQUAL(packets, 1);
	CHECK_EQUAL(read(raw_slave, text, 64), 4);
	CHECK(!memcmp(text, "\003\r\n\004", 4));
	CHECK_EQUAL(read(raw, text, 64), 4);
	CHECK(!memcmp(text, "\0a\nb", 4));
	return 0;
}
