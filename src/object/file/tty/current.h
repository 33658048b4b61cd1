/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/tty opens the controlling terminal of whoever opens it. */
#pragma once

#include <stdint.h>

/* Opens the pty as /dev/tty. No session may have it yet. */
int tty_open_current(int slave, uint32_t flags, int *ret_fd);
