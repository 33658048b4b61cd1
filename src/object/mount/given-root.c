/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The directory in which all paths of a tree begin, and its tasks have their root, where nothing is mounted by us: that
 * of the mount namespace that is given (--join-ns), and --root of such a tree, or of one in the mount namespace of
 * criu.
 */
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

struct root_look {
	int ns, *ret;
	const char *path;
};

static int open_there(void *arg)
{
	const struct root_look *look = arg;

	if (setns(look->ns, CLONE_NEWNS) < 0)
		return fail_errno("entering the given mount namespace");
	*look->ret = open(look->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *look->ret < 0
		       ? fail_errno("opening %s, which is to be the root directory, in the given mount namespace",
				    look->path)
		       : 0;
}

int given_root_load(const struct restore *r)
{
	const char *path = r->options->root;
	struct namespace *ns;
	int fd;

	if (namespace_of_root(restore_namespaces(r), r->tree, CLONE_NEWNS, &ns) && ns->joined) {
		struct root_look look = { ns->fd, &fd, path ?: "/" };

		TRY(namespace_run(-1, 0, open_there, &look));
	} else if (!path || (ns && !ns->own)) {
		return 0;
	} else {
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return fail_errno("opening %s, which is to be the root directory", path);
	}
	((struct given_root *)state_make(r->states, &root_state))->fd = fd;
	return 0;
}

int given_root(const struct restore *r)
{
	const struct given_root *root = state_find(r->states, &root_state);

	return root ? root->fd : -1;
}
