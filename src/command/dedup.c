/* SPDX-License-Identifier: GPL-2.0-only */
/* criu dedup: frees what the parents of these images have in vain. */
#include "command/command.h"

#include <inttypes.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "image/store.h"
#include "options/options.h"
#include "pages/dedup.h"

static int free_duplicates(const struct options *options)
{
	AUTO(store_close) struct store *store = NULL;
	struct store *parent;
	uint64_t size = 0;
	int result;

	TRY(store_open_dir(options->images_dir_fd, false, &store));
	result = store_get_parent(store, &parent);
	if (result == -ENOENT)
		return refuse(ENOENT, "the images in %s have no parent (a link '%s'): there is nothing to free",
			      options->images_dir, "parent");
	TRY(result);
	TRY(pages_free_in_parents(store, &size));
	log_info("Freed %" PRIu64 " bytes in the parent images", size);
	return 0;
}

int command_dedup(const struct options *options)
{
	return free_duplicates(options) < 0 ? 1 : 0;
}
