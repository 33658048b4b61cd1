/* SPDX-License-Identifier: GPL-2.0-only */
/* Files without a descriptor: programs, current and root directories, mapped files. Each is dumped once. */
#include "object/file/path.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "object/file/file-state.h"
#include "object/file/describe.h"
#include "object/file/file-dump.h"
#include "object/file/fuse/fusefile.h"
#include "object/mount/mount.h"

/* A path file that was dumped without a descriptor: exe, cwd, root, a mapped file. */
struct dumped_path {
	struct dumped_path *next;
	dev_t dev;
	ino_t ino;
	int mnt_id;
	uint32_t flags;
	const char *link;
	uint32_t id;
};

static uint64_t path_key(dev_t dev, ino_t ino)
{
	return dev * 0x9e3779b97f4a7c15u + ino;
}

static struct dumped_path *find_path(const struct dump *d, const struct dumped_path *wanted)
{
	struct dumped_path *path;

	for (path = table_find(file_dump_of(d)->paths, path_key(wanted->dev, wanted->ino)); path; path = path->next)
		if (path->dev == wanted->dev && path->ino == wanted->ino && path->flags == wanted->flags &&
		    path->mnt_id == wanted->mnt_id && strcmp(path->link, wanted->link) == 0)
			return path;
	return NULL;
}

/* What names a file without a descriptor. fdinfo would tell the same, for four more system calls in each of hundreds of
 * tasks. */
int file_describe_path(const struct dump *d, struct open_file *of)
{
	struct statx more;

	if (file_look(d, of->fd, &of->stat) < 0)
		return fail_errno("looking at %s (fstat)", of->link);
	if (statx(of->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &more) < 0)
		return fail_errno("looking at %s (statx)", of->link);
	if (!(more.stx_mask & STATX_MNT_ID))
		return refuse(EOPNOTSUPP, "this kernel does not tell the mount of a file (STATX_MNT_ID, Linux 5.8)");
	of->mnt_id = (int)more.stx_mnt_id;
	return 0;
}

static int dump_path(const struct dump *d, struct task *task, const char *name, int fd, const char *link,
		     uint32_t flags, uint32_t *ret_id)
{
	struct open_file of = { .task = task, .task_fd = -1, .fd = fd, .link = link, .flags = flags };
	struct dumped_path wanted, *path;
	uint64_t key;

	TRY(file_describe_path(d, &of));
	if (mount_dump_is_served(d, of.stat.st_dev)) {
		TRY(file_dump_served(d, task, name, &of.served_open, ret_id));
		if (*ret_id)
			return 0;
	}
	key = path_key(of.stat.st_dev, of.stat.st_ino);
	wanted = (struct dumped_path){
		table_find(file_dump_of(d)->paths, key), of.stat.st_dev, of.stat.st_ino, of.mnt_id, flags, link
	};
	path = of.served_open ? NULL : find_path(d, &wanted);
	if (!path) {
		struct dumped dumped = { 0 };

		LOG_SCOPE("%s", name);
		wanted.link = of.link = pool_string(d->pool, link);
		TRY(file_dump_new(d, &of, &dumped));
		*ret_id = wanted.id = dumped.id;
		if (of.served_open)
			return 0;
		path = pool_copy(d->pool, &wanted, sizeof(wanted));
		table_set(file_dump_of(d)->paths, key, path);
	}
	*ret_id = path->id;
	return 0;
}

/* Most were met before, and one system call tells: in hundreds of tasks that counts. */
static const struct dumped_path *find_known(const struct dump *d, const struct task *task, const char *name,
					    const char *link, uint32_t flags)
{
	struct statx st;

	if (statx(task->dump->proc, name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &st) < 0 ||
	    !(st.stx_mask & STATX_MNT_ID) || mount_dump_is_served(d, makedev(st.stx_dev_major, st.stx_dev_minor)))
		return NULL;
	return find_path(d, &(struct dumped_path){ .dev = makedev(st.stx_dev_major, st.stx_dev_minor),
						   .ino = st.stx_ino,
						   .mnt_id = (int)st.stx_mnt_id,
						   .flags = flags,
						   .link = link });
}

int file_dump_path(const struct dump *d, struct task *task, const char *name, const char *told, uint32_t flags,
		   uint32_t *ret_id)
{
	const struct dumped_path *known;
	AUTO_CLOSE int fd = -1;
	char link[PATH_MAX];
	ssize_t size = 0;

	if (!told)
		size = file_readlink(task->dump->proc, name, link, sizeof(link));
	if (size < 0)
		return fail((int)-size, "readlink /proc/%d/%s", task->pid, name);
	known = find_known(d, task, name, told ?: link, flags);
	if (known) {
		*ret_id = known->id;
		return 0;
	}
	fd = openat(task->dump->proc, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("open /proc/%d/%s", task->pid, name);
	if (told)
		size = file_readlink(task->dump->proc, name, link, sizeof(link));
	if (size < 0)
		return fail((int)-size, "readlink /proc/%d/%s", task->pid, name);
	return dump_path(d, task, name, fd, link, flags, ret_id);
}
