// SPDX-License-Identifier: GPL-2.0-only
/* A device that nobody knows is refused by its name and number. */
#include "subject.h"

SUBJECT(.refused = "/dev/kmsg.*device 1:11")

int main(void)
{
	if (open("/dev/kmsg", O_RDONLY) < 0)
		skip("/dev/kmsg: %s", strerror(errno));
	checkpoint();
	return 0;
}
