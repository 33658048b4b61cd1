// SPDX-License-Identifier: GPL-2.0-only
/* Ptys of which one side is closed: the master is hung up, or nobody has the slave any more. */
#include <poll.h>

#include "subject.h"

SUBJECT()

static int open_pair(int *slave)
{
	int master = must(posix_openpt(O_RDWR | O_NOCTTY));

	must(grantpt(master));
	must(unlockpt(master));
	*slave = must(open(ptsname(master), O_RDWR | O_NOCTTY));
	return master;
}

int main(void)
{
	int orphan, closed, gone = open_pair(&orphan), alone = open_pair(&closed), again, shared = open_pair(&again);
	char path[32], text[16];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", again);
	int second = must(open(path, O_WRONLY | O_NOCTTY));

	must(close(gone));
	must(write(closed, "last", 4));
	must(close(closed));

	checkpoint();

	CHECK_EQUAL(read(orphan, text, 16), 0);
	CHECK_EQUAL(write(orphan, "x", 1), -1);
	CHECK_EQUAL(errno, EIO);
	CHECK_EQUAL(read(alone, text, 16), 4);
	CHECK_EQUAL(read(alone, text, 16), -1);
	CHECK_EQUAL(errno, EIO);
	CHECK_EQUAL(write(second, "y", 1), 1);
	CHECK_EQUAL(read(shared, text, 16), 1);
	must(close(second));
	CHECK_EQUAL(write(again, "z", 1), 1);
	CHECK_EQUAL(read(shared, text, 16), 1);
	return 0;
}
