// SPDX-License-Identifier: GPL-2.0-only
/* An eventfd keeps its counter, its flags and whether it is a semaphore. */
#include <sys/eventfd.h>

#include "subject.h"

SUBJECT()

int main(void)
{
	int plain = must(eventfd(30, EFD_NONBLOCK)), empty = must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	int semaphore = must(eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK)), full = must(eventfd(0, EFD_NONBLOCK));
	uint64_t value;

	must(eventfd_write(full, UINT64_MAX - 1));

	checkpoint();

	CHECK_EQUAL(read(plain, &value, sizeof(value)), sizeof(value));
	CHECK_EQUAL(value, 30);
	CHECK_EQUAL(read(plain, &value, sizeof(value)), -1);
	CHECK_EQUAL(read(empty, &value, sizeof(value)), -1);
	CHECK_EQUAL(errno, EAGAIN);
	CHECK_EQUAL(eventfd_write(full, 1), -1);
	CHECK_EQUAL(errno, EAGAIN);
	for (int i = 0; i < 3; i++) {
		CHECK_EQUAL(read(semaphore, &value, sizeof(value)), sizeof(value));
		CHECK_EQUAL(value, 1);
	}
	CHECK_EQUAL(read(semaphore, &value, sizeof(value)), -1);
	return 0;
}
