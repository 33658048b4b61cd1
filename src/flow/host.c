/* SPDX-License-Identifier: GPL-2.0-only */
/* What is true of the host: its clocks, its security module. */
#include "flow/host.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/file.h"
#include "image/inventory.h"
#include "object/namespace/namespace.h"
#include "timens.pb-c.h"

/* Security modules keep labels of tasks that a restore under another module could not give back. */
static Lsmtype find_lsm(void)
{
	char text[8] = "";

	if (access("/sys/fs/selinux/enforce", F_OK) == 0)
		return LSMTYPE__SELINUX;
	if (file_read_text(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", text, sizeof(text)) > 0 &&
	    text[0] == 'Y')
		return LSMTYPE__APPARMOR;
	return LSMTYPE__NO_LSM;
}

static void read_clock(clockid_t clock, Timespec *ret)
{
	struct timespec time;

	clock_gettime(clock, &time);
	timespec__init(ret);
	ret->tv_sec = (uint64_t)time.tv_sec;
	ret->tv_nsec = (uint64_t)time.tv_nsec;
}

int host_write(struct dump *d)
{
	TimensEntry entry = TIMENS_ENTRY__INIT;
	Timespec monotonic, boottime;

	d->inventory->has_lsm = true;
	d->inventory->lsm = find_lsm();
	if (namespace_of_root(dump_namespaces(d), d->tree, "time", NULL))
		return 0; /* it has clocks of its own */
	read_clock(CLOCK_MONOTONIC, &monotonic);
	read_clock(CLOCK_BOOTTIME, &boottime);
	entry.monotonic = &monotonic;
	entry.boottime = &boottime;
	/* Number 0 stands for the clocks of the host. */
	return image_write_one(d->store, IMAGE_TIMENS, &entry, 0);
}
