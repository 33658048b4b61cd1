/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes and checks cpuinfo.img. What must match is chosen by --cpu-cap (criu(8)). */
#include "flow/cpuinfo.h"

#include "arch_cpu.h"
#include "base/fail.h"
#include "base/pool.h"
#include "image/record.h"
#include "image/store.h"
#include "options/options.h"

_Static_assert((int)ARCH_CPU_FPU == (int)OPT_CPU_FPU && (int)ARCH_CPU_ALL == (int)OPT_CPU_CPU &&
		       (int)ARCH_CPU_INS == (int)OPT_CPU_INS,
	       "the bits of --cpu-cap are the modes of the comparison");

int cpuinfo_write(struct store *store)
{
	CpuinfoEntry *entry;

	arch_cpu_describe(store_get_pool(store), &entry);
	return image_write_one(store, IMAGE_CPUINFO, entry);
}

int cpuinfo_check(struct store *store, unsigned cpu_cap)
{
	CpuinfoEntry *image, *host;
	int error = image_read_one(store, IMAGE_CPUINFO, &image);

	if (error == -ENOENT)
		return refuse(ENOENT,
			      "cpuinfo.img is missing: write it by --cpu-cap at the dump, or by criu cpuinfo dump");
	if (error < 0)
		return error;
	arch_cpu_describe(store_get_pool(store), &host);
	return arch_cpu_compare(image, host, cpu_cap & OPT_CPU_ALL);
}
