// SPDX-License-Identifier: GPL-2.0-only
/* An eventfd that an io_uring tells, and that the program has closed: refused, saying whose ring it is, and no harm
 * done. */
#include <sys/eventfd.h>

#include "uring.h"

SUBJECT(.refused = "task [0-9]+ \\(file.io-uring-e\\): fd [0-9]+ \\(io_uring\\): the eventfd that it tells is open "
		   "nowhere in the tree")

int main(void)
{
	struct uring u;
	int fd = must(eventfd(0, 0));

	uring_make(&u, 8, 0);
	must(syscall(SYS_io_uring_register, u.fd, IORING_REGISTER_EVENTFD, &fd, 1));
	must(close(fd));
	checkpoint();
	uring_next(&u, 7)->opcode = IORING_OP_NOP;
	uring_put(&u);
	CHECK_EQUAL(uring_enter(&u, 1, 1), 1);
	CHECK_EQUAL(uring_peek(&u)->user_data, 7);
	return 0;
}
