/* SPDX-License-Identifier: GPL-2.0-only */
/* criu inspect: what is mounted in a namespace. */
#include "object/mount/inspect.h"

#include "base/outline.h"
#include "object/mount/external.h"
#include "object/mount/fs/fs.h"
#include "object/mount/mount-set.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"

static const char *type_of(const struct mount *mount)
{
	if (mount_is_external(mount))
		return "external";
	if (mount->fs)
		return mount->fs->name;
	if (mount->entry->fsname)
		return mount->entry->fsname;
	return mount->from_root ? "of the root" : "?";
}

void mount_restore_inspect(const struct namespace *ns, struct outline *to)
{
	const struct mount_space *space = ns->data;
	struct outline *list = outline_add_list(to, "mounts");

	for (const struct mount *m = space->root; m; m = mount_next(m)) {
		struct outline *one = outline_add_group(list, NULL);

		outline_add_text(one, "place", "%s", m->entry->mountpoint);
		outline_add_text(one, "type", "%s", type_of(m));
		outline_add_text(one, "source", "%s", m->entry->ext_key ?: m->entry->source);
	}
}
