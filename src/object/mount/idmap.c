/* SPDX-License-Identifier: GPL-2.0-only */
/* Idmapped mounts: files on them have other owners than in their file system. The map is given by a user namespace,
 * which is made for that moment only. */
#include "object/mount/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "kern/idmap.h"
#include "kern/proc/proc.h"
#include "object/mount/fs/fs.h"
#include "object/mount/mount-set.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"

static bool is_idmapped(const struct proc_mount *seen)
{
	const char *word = strstr(seen->options, ",idmapped");

	return word && (word[strlen(",idmapped")] == ',' || !word[strlen(",idmapped")]);
}

/* What comes from outside is mapped if it is so there. */
static bool comes_with_map(const struct dump *d, const struct mount *mount)
{
	const struct proc_mounts *own = &dump_mounts(d)->own;

	for (size_t i = 0; (mount->entry->ext_key || !mount->parent) && i < own->n; i++)
		if (own->items[i].dev == mount->seen->dev && is_idmapped(&own->items[i]) &&
		    path_below(mount->seen->root, own->items[i].root))
			return true;
	return false;
}

struct map_look {
	const struct dump *d;
	struct mount *mount;
	int error;
};

static int look_at_map(void *arg)
{
	struct map_look *look = arg;

	look->error = idmap_read(look->mount->seen->id, look->d->pool, &look->mount->entry->id_users,
				 &look->mount->entry->id_groups);
	return 0;
}

static int refuse_map(const struct mount *mount, const char *why)
{
	return refuse(EOPNOTSUPP,
		      "%s: its owners are mapped (an idmapped mount), but not outside, and %s: leave it out with "
		      "--skip-mnt %s",
		      mount->entry->mountpoint, why, mount->entry->mountpoint);
}

int idmap_dump(const struct dump *d, struct mount *mount)
{
	struct map_look job = { .d = d, .mount = mount };

	if (!is_idmapped(mount->seen) || comes_with_map(d, mount))
		return 0;
	TRY(namespace_run_on(mount->space->namespace, 0, look_at_map, &job));
	return job.error < 0 ? refuse_map(mount, "this kernel does not tell the map (Linux 6.15 does)") : 0;
}

int idmap_check(const struct dump *d, const struct mount *mount)
{
	bool outside = mount->from_root || mount->entry->ext_key || mount_find_external_above(mount);

	if (!mount->entry->id_users || outside || (!d->facts->ids && !(mount->fs && mount->fs->late)))
		return 0;
	return refuse_map(mount, "it cannot be made so in there again");
}

int idmap_check_content(const struct mount *mount)
{
	if (mount->super->widest != mount || !mount->entry->id_users || !mount->fs || !mount->fs->content)
		return 0;
	return refuse_map(mount, "the true owners of what is in it are seen nowhere");
}

/* --- restore --- */

int idmap_has(struct restore *r, int fd)
{
	AUTO(proc_mounts_done) struct proc_mounts all = { 0 };
	AUTO_CLOSE int self = open("/proc/thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct proc_mount *seen;
	struct statx stx;

	if (self < 0 || statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &stx) < 0)
		return fail_errno("looking at what is to be mounted there");
	TRY(proc_mounts_read(self, r->pool, &all));
	seen = proc_mounts_find(&all, (int)stx.stx_mnt_id);
	return seen && is_idmapped(seen);
}

int idmap_restore(struct restore *r, const struct mount *mount)
{
	AUTO_CLOSE int user_ns = -1;
	int error;

	if (!mount->entry->id_users || !mount->entry->id_groups)
		return 0;
	TRY(namespace_make_users(r, mount->entry->id_users, mount->entry->id_groups, &user_ns));
	error = idmap_write(mount->fd, user_ns);
	return error < 0 ? fail(-error, "mapping the owners of what is mounted there (an idmapped mount)") : 0;
}
