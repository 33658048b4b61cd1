// SPDX-License-Identifier: GPL-2.0-only
/* What was written to a terminal whose output is stopped (as by Ctrl-S) since then is still there for its master. */
#include "pty-open.h"

SUBJECT()

int main(void)
{
	int slave, master = open_pair(&slave, 0);
	char text[16] = "";

	CHECK_EQUAL(write(slave, "before", 6), 6);
	sleep_ms(20);
	must(tcflow(slave, TCOOFF));

	checkpoint();

	CHECK(!tcflow(slave, TCOON));
	CHECK_EQUAL(read(master, text, sizeof(text)), 6);
	CHECK(!memcmp(text, "before", 6));
	CHECK_EQUAL(write(slave, "after", 5), 5);
	sleep_ms(20);
	CHECK_EQUAL(read(master, text, sizeof(text)), 5);
	return 0;
}
