/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the layers of an overlay are: mountinfo shows paths as they were given. The inode number that the root of the
 * overlay has from its first layer, or what the kernel has made in the work directory, tells which are the right ones.
 * Relative paths begin in the directory that was current then: it is looked for above the place of the overlay, and
 * where tasks are. What was mounted upon layers later hides them.
 */
#include "object/mount/fs/overlay-base.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "object/mount/fs/overlay.h"
#include "object/mount/mount-set.h"
#include "object/mount/save.h"
#include "object/mount/tree.h"
#include "object/namespace/namespace.h"
#include "session/loss.h"

struct trial {
	const struct mount *overlay;
	const char *base;     /* where the paths are to begin */
	const struct dump *d; /* as it was when the overlay was mounted; NULL: as it is */
	struct stat first, last;
	bool any, one_device;
};

static bool came_later(const struct mount *mount, const struct mount *overlay)
{
	for (; mount; mount = mount->parent)
		if (mount == overlay || overlay_lies_below(overlay, mount))
			return true;
	return false;
}

/* The mount that showed the path when the overlay came. */
static const struct mount *find_former(const struct mount *overlay, const char *path)
{
	const struct mount *found = overlay->space->root;

	for (const struct mount *m = found; m; m = mount_next(m)) {
		size_t size = strlen(m->entry->mountpoint), best = strlen(found->entry->mountpoint);

		if (path_below(path, m->entry->mountpoint) && !came_later(m, overlay) &&
		    (size > best || (size == best && mount_hangs_on(m, found))))
			found = m;
	}
	return found;
}

static int open_below(const struct trial *trial, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	AUTO_FREE char *full = path[0] == '/' ? xstrdup(path) : xprintf("%s/%s", trial->base, path);
	const struct mount *former = trial->d ? find_former(trial->overlay, full) : NULL;
	AUTO_CLOSE int clone = -1;
	const char *rest;

	if (!former)
		return (int)syscall(SYS_openat2, trial->overlay->space->root_fd, full, &how, sizeof(how));
	TRY(mount_reveal(trial->d, former, &clone));
	rest = path_below(full, former->entry->mountpoint);
	return (int)syscall(SYS_openat2, clone, *rest ? rest : "/", &how, sizeof(how));
}

static bool try_layer(const char *path, void *arg)
{
	struct trial *trial = arg;
	AUTO_CLOSE int fd = open_below(trial, path);

	if (fd < 0 || fstat(fd, &trial->last) < 0)
		return false;
	if (!trial->any)
		trial->first = trial->last;
	trial->any = true;
	trial->one_device &= trial->first.st_dev == trial->last.st_dev;
	return true;
}

static bool has_work(const struct trial *trial, const char *options)
{
	AUTO_FREE char *work = overlay_path(options, "workdir="), *inner = work ? xprintf("%s/work", work) : NULL;
	AUTO_CLOSE int fd = inner ? open_below(trial, inner) : -1;

	return fd >= 0;
}

enum fit { FIT_NOT, FIT_MAYBE, FIT_SURE };

/* Directories of an overlay have the numbers of the file system that all of its layers are in. */
static enum fit try_overlay(struct trial *trial, const struct stat *top)
{
	const char *options = trial->overlay->entry->options;
	AUTO_FREE char *upper = overlay_path(options, "upperdir=");
	AUTO_CLOSE int fd = -1;
	struct stat st;

	trial->any = false;
	trial->one_device = true;
	if (!overlay_for_all_layers(options, try_layer, trial) || !trial->any)
		return FIT_NOT;
	if (!trial->one_device)
		return !upper || has_work(trial, options) ? FIT_MAYBE : FIT_NOT;
	if (!upper)
		return trial->first.st_ino == top->st_ino ? FIT_SURE : FIT_NOT;
	fd = open_below(trial, upper);
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == top->st_ino && has_work(trial, options) ? FIT_SURE
												      : FIT_NOT;
}

static bool overlay_fits(const struct mount *mount, const struct stat *top, const char *base)
{
	struct trial trial = { .overlay = mount, .base = base };

	enum fit fit = try_overlay(&trial, top);

	return fit == FIT_SURE || (fit == FIT_MAYBE && has_work(&trial, mount->entry->options));
}

static bool try_above(const struct mount *mount, const struct stat *top, char *path)
{
	char *slash;

	while ((slash = strrchr(path, '/'))) {
		if (overlay_fits(mount, top, path))
			return true;
		*slash = '\0';
	}
	*path = '\0'; /* the root */
	return overlay_fits(mount, top, path);
}

static const char *find_base(const struct dump *d, const struct mount *mount, const struct stat *top)
{
	const struct namespace_kind *kind = namespace_kind_find(CLONE_NEWNS);
	char path[PATH_MAX];
	struct task *task;

	snprintf(path, sizeof(path), "%s", mount->entry->mountpoint);
	if (try_above(mount, top, path))
		return pool_string(d->pool, *path ? path : "/");
	for_each_task(task, d->tree) {
		if (!task_is_live(task) || namespace_of(dump_namespaces(d), task, kind) != mount->space->namespace ||
		    file_readlink(task->dump->proc, "cwd", path, sizeof(path)) < 0)
			continue;
		if (try_above(mount, top, path))
			return pool_string(d->pool, *path ? path : "/");
	}
	return NULL;
}

int overlay_find_base(const struct dump *d, struct mount *mount)
{
	AUTO_CLOSE int clone = -1;
	struct stat top;

	if (strcmp(mount->seen->root, "/") != 0)
		return 0;
	TRY(mount_reveal(d, mount, &clone));
	if (fstat(clone, &top) < 0)
		return fail_errno("looking at its root");
	mount->entry->layers_from = (char *)find_base(d, mount, &top);
	if (!mount->entry->layers_from)
		return 0;
	log_info("the paths of %s begin in %s", mount->entry->mountpoint, mount->entry->layers_from);
	return 1;
}

/*
 * Notes those that may hide layers, returns how many: by the kernel's order, which a copy of a namespace changes, or
 * all that lie on the way.
 */
static size_t note_hiding(const struct dump *d, struct mount *overlay, bool by_order)
{
	MntEntry *entry = overlay->entry;

	entry->upon_layers = pool_array(d->pool, uint32_t, overlay->space->mounts.n);
	entry->n_upon_layers = 0;
	for (const struct mount *m = overlay->space->root; m; m = mount_next(m))
		if ((!by_order || m->place > overlay->place) && !mount_hangs_on(m, overlay) &&
		    !mount_hangs_on(overlay, m) && overlay_has_layer_on(overlay, m))
			entry->upon_layers[entry->n_upon_layers++] = m->entry->mnt_id;
	return entry->n_upon_layers;
}

int overlay_find_hidden(const struct dump *d, struct mount *mount)
{
	struct trial now = { .overlay = mount, .base = "/" }, then = { .overlay = mount, .base = "/", .d = d };
	AUTO_CLOSE int clone = -1;
	enum fit fit, other;
	bool doubtful = false;
	struct stat top;

	if (!note_hiding(d, mount, false) || strcmp(mount->seen->root, "/") != 0)
		return mount->entry->n_upon_layers = 0;
	TRY(mount_reveal(d, mount, &clone));
	if (fstat(clone, &top) < 0)
		return fail_errno("looking at its root");
	fit = try_overlay(&now, &top);
	for (int by_order = 1; by_order >= 0 && fit != FIT_SURE; by_order--) {
		other = note_hiding(d, mount, by_order) ? try_overlay(&then, &top) : FIT_NOT;
		doubtful |= other == FIT_MAYBE;
		if (other <= fit)
			continue;
		log_info("layers of %s lie below %zu mounts", mount->entry->mountpoint, mount->entry->n_upon_layers);
		return 1;
	}
	mount->entry->n_upon_layers = 0;
	if (doubtful)
		dump_report_loss(d,
				 "overlay on %s: whether its layers are what is seen there, or what other mounts hide, "
				 "is not known: it will be made of what is seen",
				 mount->entry->mountpoint);
	return 0;
}

int overlay_enter_base(const struct mount *mount)
{
	const char *base = mount->entry->layers_from;

	return base && chdir(base) < 0 ? fail_errno("its layers begin in %s", base) : 0;
}
