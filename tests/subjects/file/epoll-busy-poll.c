// SPDX-License-Identifier: GPL-2.0-only
/* How an epoll file polls network devices (EPIOCSPARAMS, Linux 6.9). */
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "subject.h"

SUBJECT()

struct busy_poll {
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer, pad;
};

#define SET_BUSY_POLL _IOW(0x8A, 0x01, struct busy_poll)
#define GET_BUSY_POLL _IOR(0x8A, 0x02, struct busy_poll)

int main(void)
{
	struct busy_poll wanted = { 57, 8, 1, 0 }, got;
	int set = must(epoll_create1(0)), unset = must(epoll_create1(0));

	if (ioctl(set, SET_BUSY_POLL, &wanted) < 0)
		skip("this kernel has no EPIOCSPARAMS");

	checkpoint();

	CHECK_EQUAL(ioctl(set, GET_BUSY_POLL, &got), 0);
	CHECK_EQUAL(got.usecs, 57u);
	CHECK_EQUAL(got.budget, 8u);
	CHECK_EQUAL(got.prefer, 1u);
	CHECK_EQUAL(ioctl(unset, GET_BUSY_POLL, &got), 0);
	CHECK_EQUAL(got.usecs, 0u);
	return 0;
}
