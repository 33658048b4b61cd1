/* SPDX-License-Identifier: GPL-2.0-only */
/* criu cpuinfo dump and criu cpuinfo check. */
#include "command/command.h"

#include "base/auto.h"
#include "flow/cpuinfo.h"
#include "flow/stream.h"
#include "image/store.h"
#include "options/options.h"

int command_cpuinfo_dump(const struct options *options)
{
	AUTO(store_close) struct store *store = NULL;

	if (stream_or_images_open(options, NULL, true, &store) < 0)
		return 1;
	return cpuinfo_write(store) < 0 ? 1 : 0;
}

/* "none" would check nothing at all, so it means everything here. */
int command_cpuinfo_check(const struct options *options)
{
	unsigned modes = options->cpu_cap & OPT_CPU_ALL;
	AUTO(store_close) struct store *store = NULL;

	if (store_open_dir(options->images_dir_fd, false, &store) < 0)
		return 1;
	return cpuinfo_check(store, modes ?: OPT_CPU_ALL) < 0 ? 1 : 0;
}
