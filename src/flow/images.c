/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a dump writes its images, and a restore reads them. */
#include "flow/images.h"

#include "base/fail.h"
#include "flow/actions.h"
#include "image/store.h"
#include "options/options.h"

int images_open(const struct options *options, bool for_writing, struct store **ret)
{
	if (!options->stream)
		return store_open_dir(options->images_dir_fd, for_writing, ret);
	TRY(actions_run(options, ACTION_PRE_STREAM, options->pid));
	return store_open_streamer(options->images_dir_fd, for_writing, ret);
}
