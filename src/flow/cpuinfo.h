/* SPDX-License-Identifier: GPL-2.0-only */
/* cpuinfo.img: what the CPU can do where the tasks ran. */
#pragma once

struct store;

/* Writes the image. Returns 0 or -errno. */
int cpuinfo_write(struct store *store);

/* Compares the image with this CPU by the bits of enum opt_cpu_cap. A missing image is a failure. Returns 0 or -errno.
 */
int cpuinfo_check(struct store *store, unsigned cpu_cap);
