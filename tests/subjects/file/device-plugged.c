// SPDX-License-Identifier: GPL-2.0-only
/* A control device that only a plugin can save: shared with a child, and duplicated. */
#include <linux/kcmp.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include "subject.h"

SUBJECT(.refused = "/dev/loop-control.*device 10:237")

static int device;

static int use_device(void *unused)
{
	wait_for_restore();
	CHECK_EQUAL(syscall(SYS_kcmp, getppid(), getpid(), KCMP_FILE, device, device), 0);
	return ioctl(device, LOOP_CTL_GET_FREE) < 0;
}

int main(void)
{
	int copy;
	pid_t child;

	device = open("/dev/loop-control", O_RDWR);
	if (device < 0)
		skip("/dev/loop-control: %s", strerror(errno));
	copy = must(fcntl(device, F_DUPFD_CLOEXEC, 20));
	child = start_child(use_device, NULL);

	checkpoint_with(1);

	CHECK(ioctl(device, LOOP_CTL_GET_FREE) >= 0);
	CHECK_EQUAL(fcntl(device, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK_EQUAL(fcntl(device, F_GETFD), 0);
	CHECK_EQUAL(fcntl(copy, F_GETFD), FD_CLOEXEC);
	CHECK_EQUAL(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, device, copy), 0);
	join_child(child, 0);
	return 0;
}
