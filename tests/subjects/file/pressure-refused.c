// SPDX-License-Identifier: GPL-2.0-only
/* A trigger of pressure stall information cannot be read back. */
#include "subject.h"

SUBJECT(.refused = "its trigger .pressure stall information. cannot be read", .ways = "untouched unharmed")

int main(void)
{
	static const char trigger[] = "some 500000 2000000";
	int fd = open("/proc/pressure/memory", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		skip("/proc/pressure/memory: %s", strerror(errno));
	if (write(fd, trigger, sizeof(trigger)) < 0)
		skip("triggers: %s", strerror(errno));

	checkpoint();

	CHECK_EQUAL(write(fd, trigger, sizeof(trigger)), -1);
	CHECK_EQUAL(errno, EBUSY);
	return 0;
}
