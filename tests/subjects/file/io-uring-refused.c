// SPDX-License-Identifier: GPL-2.0-only
/* io_uring cannot be saved: refused, telling what it is. */
#include "subject.h"

SUBJECT(.refused = "io_uring")

int main(void)
{
	char params[120] = { 0 };

	if (syscall(SYS_io_uring_setup, 4, params) < 0)
		skip("io_uring_setup: %s", strerror(errno));
	checkpoint();
	return 0;
}
