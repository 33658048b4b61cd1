/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a dump writes its images, and a restore reads them. */
#include "flow/stream.h"

#include "base/fail.h"
#include "flow/actions.h"
#include "image/store.h"
#include "options/options.h"
#include "session/images.h"

int stream_or_images_open(const struct options *options, struct listener *listener, bool for_writing,
			  struct store **ret)
{
	if (!options->stream)
		return images_open(options, for_writing, ret);
	TRY(actions_run(options, listener, ACTION_PRE_STREAM, options->pid));
	TRY(store_open_streamer(options->images_dir_fd, for_writing, ret));
	store_decrypt_with(*ret, options->decrypt_with);
	return 0;
}
