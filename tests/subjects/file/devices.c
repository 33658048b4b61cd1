// SPDX-License-Identifier: GPL-2.0-only
/* Devices without state. */
#include <linux/auto_dev-ioctl.h>
#include <sys/ioctl.h>

#include "subject.h"

SUBJECT()

int main(void)
{
	int null = must(open("/dev/null", O_RDWR)), zero = must(open("/dev/zero", O_RDONLY)),
	    full = must(open("/dev/full", O_WRONLY));
	int random = must(open("/dev/urandom", O_RDONLY | O_CLOEXEC));
	int autofs = open("/dev/autofs", O_RDONLY | O_CLOEXEC); /* not every kernel has it */
	struct autofs_dev_ioctl ask;
	char c = 1;

	checkpoint();

	CHECK_EQUAL(write(null, &c, 1), 1);
	CHECK_EQUAL(read(null, &c, 1), 0);
	CHECK_EQUAL(read(zero, &c, 1), 1);
	CHECK_EQUAL(c, 0);
	CHECK_EQUAL(write(full, &c, 1), -1);
	CHECK_EQUAL(errno, ENOSPC);
	CHECK_EQUAL(read(random, &c, 1), 1);
	CHECK(fcntl(random, F_GETFD) & FD_CLOEXEC);
	init_autofs_dev_ioctl(&ask);
	CHECK(autofs < 0 || ioctl(autofs, AUTOFS_DEV_IOCTL_VERSION, &ask) == 0);
	return 0;
}
