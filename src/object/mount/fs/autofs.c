/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dump of the mounts of automounters: autofs-DEV.img, and the directories and links in them. The kernel writes to a
 * pipe whose only writer it is, and lets the process group of the automounter pass. Nothing here may wait for an
 * automounter: it stands still. So no path is walked into its mounts but by descriptors that stay where they are.
 */
#include "object/mount/fs/autofs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/auto_fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"
#include "image/record.h"
#include "kern/proc/fdinfo.h"
#include "object/mount/collect.h"
#include "object/mount/fs/fs.h"
#include "object/mount/mount-set.h"
#include "object/mount/mount.h"
#include "object/mount/save.h"
#include "object/mount/tree.h"
#include "session/loss.h"

/* --- what the kernel shows --- */

/* "fd=5,pgrp=17,timeout=0,minproto=5,maxproto=5,indirect,pipe_ino=1234" */
static const char *find_option(const char *options, const char *key)
{
	size_t size = strlen(key);

	for (const char *p = options; *p; p += strspn(p, ",")) {
		if (!strncmp(p, key, size) && (p[size] == '=' || p[size] == ',' || !p[size]))
			return p + size + (p[size] == '=');
		p += strcspn(p, ",");
	}
	return NULL;
}

static long option_number(const struct mount *mount, const char *key)
{
	const char *value = find_option(mount->seen->super_options, key);

	return value ? strtol(value, NULL, 10) : -1;
}

static int mode_of(const struct mount *mount)
{
	const char *options = mount->seen->super_options;

	return find_option(options, "direct")	? AUTOFS_TYPE_DIRECT
	       : find_option(options, "offset") ? AUTOFS_TYPE_OFFSET
						: AUTOFS_TYPE_INDIRECT;
}

bool mount_dump_has_pipe(const struct dump *d, uint64_t inode)
{
	const struct mount *m;

	if (!dump_mounts(d))
		return false;
	for_each_mount(m, dump_mounts(d))
		if (m->fs && m->fs->served && (uint64_t)option_number(m, "pipe_ino") == inode)
			return true;
	return false;
}

/* --- who serves it --- */

struct automounter {
	const struct task *owner;  /* of the process group */
	const struct task *reader; /* of the pipe */
	int read_fd;
};

static int find_read_end(const struct task *task, uint64_t inode, int *ret_fd)
{
	AUTO(fdinfo_done) struct fdinfo info = { .dir = -1 };
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(task->dump->proc, "fd", &numbers);
	char path[32], link[64], wanted[64];
	uint64_t flags;

	if (n < 0)
		return fail(-n, "listing its descriptors");
	TRY(fdinfo_open(&info, task->dump->proc));
	snprintf(wanted, sizeof(wanted), "pipe:[%lu]", (unsigned long)inode);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "fd/%d", numbers[i]);
		if (file_readlink(task->dump->proc, path, link, sizeof(link)) < 0 || strcmp(link, wanted) != 0)
			continue;
		TRY(fdinfo_read(&info, numbers[i]));
		TRY(fdinfo_get_u64(&info, "flags", 8, &flags));
		if ((flags & O_ACCMODE) == O_WRONLY)
			continue;
		*ret_fd = numbers[i];
		return 1;
	}
	return 0;
}

/* A reader that belongs to the group is best: such an automounter serves itself. */
static int find_server(const struct dump *d, const struct mount *mount, struct automounter *ret)
{
	const pid_t group = (pid_t)option_number(mount, "pgrp");
	const uint64_t inode = (uint64_t)option_number(mount, "pipe_ino");
	const struct task *task;

	*ret = (struct automounter){ .read_fd = -1 };
	for_each_task(task, d->tree) {
		bool is_member = task_is_live(task) && getpgid(task->pid) == group;
		int fd = -1, found = task_is_live(task) ? find_read_end(task, inode, &fd) : 0;

		TRY(found);
		if (found && (!ret->reader || is_member)) {
			ret->reader = task;
			ret->read_fd = fd;
		}
		if (is_member && (!ret->owner || found))
			ret->owner = task;
	}
	return 0;
}

/* The kernel itself notices a dead one only when it has something to tell. */
static bool is_dead(const struct mount *mount, const struct automounter *server)
{
	long group = option_number(mount, "pgrp");

	if (option_number(mount, "fd") < 0 || option_number(mount, "pipe_ino") < 0)
		return true;
	return !server->reader && (group <= 0 || (kill((pid_t)-group, 0) < 0 && errno == ESRCH));
}

int autofs_dump(const struct dump *d, struct mount *mount)
{
	struct automounter server;

	TRY(find_server(d, mount, &server));
	if (is_dead(mount, &server))
		return 0;
	if (!server.owner || !server.reader)
		return -EOPNOTSUPP;
	if (server.owner->pid_space)
		return mount_refuse(mount, "its automounter lives in a pid namespace within that of the tree");
	if (mode_of(mount) != AUTOFS_TYPE_INDIRECT)
		dump_report_loss(d,
				 "%s: its root will have another inode number: an automounter that knows direct mounts "
				 "by it (automount(8) does, systemd does not) will not find it",
				 mount->entry->mountpoint);
	return 0;
}

/* --- what is in it --- */

struct node_list {
	struct pool *pool;
	VECTOR(AutofsNode *) nodes;
};

static AutofsNode *add_node(struct node_list *list, const char *above, const char *name, mode_t mode)
{
	AutofsNode *node = pool_new(list->pool, AutofsNode);

	autofs_node__init(node);
	node->path = pool_printf(list->pool, "%s%s%s", above, *above ? "/" : "", name);
	node->mode = mode;
	*vector_push(&list->nodes) = node;
	return node;
}

static int walk_directory(struct node_list *list, int dir, const char *path);

/* A descriptor without access asks for no mount, and neither does "." of it. */
static int walk_name(struct node_list *list, int dir, const char *path, const char *name)
{
	AUTO_CLOSE int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char target[PATH_MAX];
	AutofsNode *node;
	struct stat st;
	ssize_t size;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_errno("looking at %s", name);
	if (!S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
		return refuse(EOPNOTSUPP, "%s in an autofs is no directory and no link", name);
	node = add_node(list, path, name, st.st_mode);
	if (S_ISDIR(st.st_mode))
		return walk_directory(list, fd, node->path);
	size = readlinkat(fd, "", target, sizeof(target) - 1);
	if (size < 0)
		return fail_errno("reading the link %s", name);
	target[size] = 0;
	node->target = pool_string(list->pool, target);
	return 0;
}

static int walk_directory(struct node_list *list, int dir, const char *path)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSEDIR DIR *names = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	/* That is what the kernel says of an empty directory: one where nothing is mounted. */
	if (fd < 0 && errno == ENOENT && *path)
		return 0;
	if (!names)
		return fail_errno("listing %s", *path ? path : "its root");
	while ((entry = readdir(names)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			TRY(walk_name(list, dir, path, entry->d_name));
	return 0;
}

static int save_nodes(struct dump *d, const struct mount *mount, AutofsEntry *record)
{
	struct node_list list = { .pool = d->pool };
	AUTO_CLOSE int root = -1;
	int result;

	TRY(mount_reveal(d, mount, &root));
	result = walk_directory(&list, root, "");
	record->n_nodes = list.nodes.n;
	record->nodes = pool_array(d->pool, AutofsNode *, list.nodes.n + 1);
	if (list.nodes.n)
		memcpy(record->nodes, list.nodes.items, list.nodes.n * sizeof(*record->nodes));
	vector_done(&list.nodes);
	return result;
}

int autofs_save(struct dump *d, const struct superblock *super)
{
	const struct mount *mount = super->widest;
	AutofsEntry record = AUTOFS_ENTRY__INIT;
	struct automounter server;

	LOG_SCOPE("%.80s", mount->entry->mountpoint);
	TRY(find_server(d, mount, &server));
	record.fd = record.pgrp = -1;
	record.timeout = (int)option_number(mount, "timeout");
	record.minproto = (int)option_number(mount, "minproto");
	record.maxproto = (int)option_number(mount, "maxproto");
	record.mode = mode_of(mount);
	if (!is_dead(mount, &server) && server.owner && server.reader) {
		record.fd = (int)option_number(mount, "fd");
		record.pgrp = server.owner->vpgid;
		record.has_read_fd = record.has_owner = record.has_reader = true;
		record.read_fd = server.read_fd;
		record.owner = (uint32_t)server.owner->vpid;
		record.reader = (uint32_t)server.reader->vpid;
	}
	TRY(save_nodes(d, mount, &record));
	return image_write_one(dump_store(d), IMAGE_AUTOFS, &record, super->dev);
}
