// SPDX-License-Identifier: GPL-2.0-only
/* A program that wants to be asked when a virtual terminal is switched, as display servers do, is refused. */
#include <linux/vt.h>

#include "pty-open.h"

SUBJECT(.ways = "untouched unharmed", .refused = "VT_SETMODE")

int main(void)
{
	struct vt_mode mode = { .mode = VT_PROCESS, .relsig = SIGUSR1, .acqsig = SIGUSR2 }, now = { 0 };
	int fd = open("/dev/tty13", O_RDWR | O_NOCTTY);

	if (fd < 0)
		skip("this machine has no virtual terminals");
	if (ioctl(fd, VT_SETMODE, &mode) < 0)
		skip("virtual terminals cannot be switched here");

	checkpoint();

	CHECK(!ioctl(fd, VT_GETMODE, &now));
	CHECK_EQUAL(now.mode, VT_PROCESS);
	return 0;
}
