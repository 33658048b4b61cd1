// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's worker thread of an io_uring never runs the blob: refused at once, by name, and not waited for. */
#include "subject.h"

SUBJECT(.refused = "iou-sqp-.* is a worker of the kernel for an io_uring", .ignore = "fd")

#define SETUP_SQPOLL 2 /* IORING_SETUP_SQPOLL */

int main(void)
{
	uint32_t params[30] = { [2] = SETUP_SQPOLL, [4] = 60000 };

	if (syscall(SYS_io_uring_setup, 4, params) < 0)
		skip("io_uring_setup: %s", strerror(errno));
	checkpoint();
	return 0;
}
