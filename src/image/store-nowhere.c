/* SPDX-License-Identifier: GPL-2.0-only */
/* A store for those who only want to see whether images could be written: it has none, and forgets what it is given. */
#include "image/store-nowhere.h"

#include "image/backend.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fail.h"
#include "image/store.h"

static int nowhere_open(struct store *store, struct image *image)
{
	return -ENOENT;
}

static int nowhere_create(struct store *store, struct image *image)
{
	image->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return image->fd < 0 ? fail_errno("cannot open /dev/null") : 0;
}

static int nowhere_remove(struct store *store, const char *name)
{
	return 0;
}

static int nowhere_open_parent(struct store *store, struct store **ret)
{
	return -ENOENT;
}

static int nowhere_list(struct store *store, int (*visit)(void *arg, const char *name), void *arg)
{
	return 0;
}

static void nowhere_close(struct store *store)
{
}

static const struct store_ops nowhere_ops = {
	.open = nowhere_open,
	.create = nowhere_create,
	.remove = nowhere_remove,
	.open_parent = nowhere_open_parent,
	.list = nowhere_list,
	.close = nowhere_close,
};

struct store *store_create_nowhere(void)
{
	struct store *store = store_create(&nowhere_ops, sizeof(*store));

	store->for_writing = true;
	return store;
}
