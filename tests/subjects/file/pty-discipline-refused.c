// SPDX-License-Identifier: GPL-2.0-only
/* A terminal with a line discipline other than the usual one is refused: what it keeps is unknown. */
#include "pty-open.h"

SUBJECT(.ways = "untouched unharmed", .refused = "line discipline")

int main(void)
{
	int slave, master = open_pair(&slave, 0), discipline = 27 /* N_NULL */;

	(void)master;
	if (ioctl(slave, TIOCSETD, &discipline) < 0)
		skip("this kernel has no other line discipline");

	checkpoint();

	discipline = 0;
	CHECK(!ioctl(slave, TIOCGETD, &discipline));
	CHECK_EQUAL(discipline, 27);
	return 0;
}
