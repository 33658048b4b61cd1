// SPDX-License-Identifier: GPL-2.0-only
/* A request that never comes to an end is refused, and is still there afterwards. */
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "subject.h"

SUBJECT(.options = "--timeout 2", .refused = "1 requests of the AIO ring .* do not come to an end",
	.ways = "untouched unharmed", .ignore = "preflight")

int main(void)
{
	int fd = must(eventfd(0, 0));
	aio_context_t ring = 0;
	struct iocb one = { .aio_lio_opcode = IOCB_CMD_POLL,
			    .aio_fildes = (uint32_t)fd,
			    .aio_buf = POLLIN,
			    .aio_data = 5 },
		    *list = &one;
	struct io_event event;
	uint64_t count = 1;

	must(syscall(SYS_io_setup, 8, &ring));
	CHECK_EQUAL(syscall(SYS_io_submit, ring, 1L, &list), 1);

	checkpoint();

	struct timespec none = { 0 };

	CHECK_EQUAL(syscall(SYS_io_getevents, ring, 1L, 1L, &event, &none), 0);
	must(write(fd, &count, sizeof(count)));
	CHECK_EQUAL(syscall(SYS_io_getevents, ring, 1L, 1L, &event, NULL), 1);
	CHECK_EQUAL(event.data, 5);
	return 0;
}
