/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/sys/kernel/ns_last_pid. */
#include "kern/last-pid.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fail.h"
#include "base/file.h"

#define LAST_PID "/proc/sys/kernel/ns_last_pid"

static void read_old(struct last_pid *last)
{
	char text[16];
	ssize_t size = file_read_text(AT_FDCWD, LAST_PID, text, sizeof(text));

	last->old = size > 0 ? atoi(text) : 0;
}

static int write_wanted(const struct last_pid *last)
{
	char text[16];
	int error;

	snprintf(text, sizeof(text), "%d", last->wanted);
	error = file_write_text(AT_FDCWD, LAST_PID, text);
	return error < 0 ? fail(-error, "writing " LAST_PID) : 0;
}

int last_pid_write(void *arg)
{
	struct last_pid *last = arg;

	read_old(last);
	return write_wanted(last);
}

int last_pid_raise(void *arg)
{
	struct last_pid *last = arg;

	read_old(last);
	return last->old < last->wanted ? write_wanted(last) : 0;
}
