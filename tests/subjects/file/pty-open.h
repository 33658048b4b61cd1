/* SPDX-License-Identifier: GPL-2.0-only */
/* Opening a pty pair. */
#pragma once

#include <sys/ioctl.h>
#include <termios.h>

#include "subject.h"

/* Returns the master; flags are for the slave. */
static inline int open_pair(int *slave, int flags)
{
	int master = must(posix_openpt(O_RDWR | O_NOCTTY));

	must(grantpt(master));
	must(unlockpt(master));
	*slave = must(open(ptsname(master), O_RDWR | O_NOCTTY | flags));
	return master;
}
