// SPDX-License-Identifier: GPL-2.0-only
/* A buffer that is registered with an io_uring, in memory that the program has unmapped: refused, and no harm done. */
#include <sys/uio.h>

#include "uring.h"

SUBJECT(.refused = "its registered buffer 0 \\(0x[0-9a-f]+, 4096 bytes\\) is memory that no process of the tree has")

int main(void)
{
	struct uring u;
	char *buffer = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct iovec part = { buffer, 4096 };

	uring_make(&u, 8, 0);
	must(syscall(SYS_io_uring_register, u.fd, IORING_REGISTER_BUFFERS, &part, 1));
	must(munmap(buffer, 4096));
	checkpoint();
	CHECK_EQUAL(syscall(SYS_io_uring_register, u.fd, IORING_UNREGISTER_BUFFERS, NULL, 0), 0);
	return 0;
}
