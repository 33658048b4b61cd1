// SPDX-License-Identifier: GPL-2.0-only
/* Files, also deleted ones, keep the hint how long what is written will live. */
#include "subject.h"

SUBJECT()

int main(void)
{
	int fds[] = { must(open("named", O_RDWR | O_CREAT, 0600)), must(open("deleted", O_RDWR | O_CREAT, 0600)),
		      must(open("plain", O_RDWR | O_CREAT, 0600)) };
	uint64_t hints[] = { RWH_WRITE_LIFE_SHORT, RWH_WRITE_LIFE_EXTREME, RWH_WRITE_LIFE_NOT_SET }, now;

	for (int i = 0; i < 2; i++)
		must(fcntl(fds[i], F_SET_RW_HINT, &hints[i]));
	must(unlink("deleted"));

	checkpoint();

	for (int i = 0; i < 3; i++) {
		CHECK_EQUAL(fcntl(fds[i], F_GET_RW_HINT, &now), 0);
		CHECK_EQUAL(now, hints[i]);
	}
	return 0;
}
