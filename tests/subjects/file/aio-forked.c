// SPDX-License-Identifier: GPL-2.0-only
/* An AIO ring is inherited as memory, but not for use; two threads use one ring, one of them waits in it. */
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "subject.h"

SUBJECT(.ignore = "areas") /* that of the child becomes anonymous memory */

static aio_context_t ring;

static int work(void *arg)
{
	struct iocb one = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN }, *list = &one;

	wait_for_restore();
	CHECK_EQUAL(syscall(SYS_io_submit, ring, 1L, &list), -1);
	CHECK_EQUAL(errno, EINVAL);
	return 0;
}

static void *run(void *arg)
{
	struct io_event event;

	announce_waiter();
	CHECK_EQUAL(syscall(SYS_io_getevents, ring, 1L, 1L, &event, NULL), 1);
	CHECK(is_restored());
	CHECK_EQUAL(event.data, 9);
	return NULL;
}

int main(void)
{
	int ready = must(eventfd(1, 0));
	struct iocb one = { .aio_lio_opcode = IOCB_CMD_POLL,
			    .aio_fildes = (uint32_t)ready,
			    .aio_buf = POLLIN,
			    .aio_data = 9 },
		    *list = &one;
	pthread_t thread;

	must(syscall(SYS_io_setup, 10, &ring));
	pid_t child = start_child(work, NULL);
	CHECK_EQUAL(pthread_create(&thread, NULL, run, NULL), 0);

	checkpoint_with(2);

	CHECK_EQUAL(syscall(SYS_io_submit, ring, 1L, &list), 1);
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
	join_child(child, 0);
	return 0;
}
