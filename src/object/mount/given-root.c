/* SPDX-License-Identifier: GPL-2.0-only */
/* --root for a tree that lives in the mount namespace of criu: the directory in which its paths begin, and its tasks
 * have their root. */
#include "object/mount/given-root.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "base/fail.h"
#include "object/namespace/namespace.h"

struct given_root {
	int fd;
};

static void destroy_root(void *state)
{
	close(((struct given_root *)state)->fd);
}

static const struct state_type root_state = { sizeof(struct given_root), destroy_root };

int given_root_load(const struct restore *r)
{
	int fd;

	if (!r->options->root || namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWNS, NULL))
		return 0;
	fd = open(r->options->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("opening %s, which is to be the root directory", r->options->root);
	((struct given_root *)state_make(r->states, &root_state))->fd = fd;
	return 0;
}

int given_root(const struct restore *r)
{
	const struct given_root *root = state_find(r->states, &root_state);

	return root ? root->fd : -1;
}
