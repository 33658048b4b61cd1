/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who serves a FUSE file system to others of the tree has to be stopped last: a task that waits for its answer cannot
 * be stopped. They are known by their descriptors of /dev/fuse, which are looked at only where such a file system is
 * mounted.
 */
#include "flow/freeze/servers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/fd.h"
#include "base/log.h"
#include "kern/proc/children.h"
#include "kern/proc/fdinfo.h"
#include "kern/proc/maps.h"
#include "kern/proc/mountinfo.h"
#include "kern/proc/proc.h"
#include "kern/proc/running.h"
#include "session/session.h"

#define SYNC_MS	   5000
#define MISC_MAJOR 10
#define FUSE_MINOR 229

/* --- who is asked last --- */

struct fuse_users {
	dev_t *devices;
	size_t n;
	bool known;
};

static void forget_devices(void *state)
{
	free(((struct fuse_users *)state)->devices);
}

static const struct state_type users_type = { sizeof(struct fuse_users), forget_devices };

/* Those that are mounted where the root task is. */
static const struct fuse_users *find_devices(struct dump *d)
{
	AUTO(proc_mounts_done) struct proc_mounts mounts = { 0 };
	struct fuse_users *users = state_get(d->states, &users_type);

	if (users->known)
		return users;
	users->known = true;
	if (proc_mounts_read(d->tree->root->dump->proc, d->pool, &mounts) < 0)
		return users;
	users->devices = xmalloc((mounts.n + 1) * sizeof(dev_t));
	for (size_t i = 0; i < mounts.n; i++)
		if (strcmp(mounts.items[i].fs_type, "fuse") == 0)
			users->devices[users->n++] = mounts.items[i].dev;
	return users;
}

static bool is_on(const struct fuse_users *users, dev_t dev)
{
	for (size_t i = 0; i < users->n; i++)
		if (users->devices[i] == dev)
			return true;
	return false;
}

enum use { USES_NOTHING, USES_FUSE, SERVES_FUSE };

static enum use look_at(const struct fuse_users *users, int proc, const char *name)
{
	struct statx st;

	if (statx(proc, name, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return USES_NOTHING;
	if (S_ISCHR(st.stx_mode) && st.stx_rdev_major == MISC_MAJOR && st.stx_rdev_minor == FUSE_MINOR)
		return SERVES_FUSE;
	return is_on(users, makedev(st.stx_dev_major, st.stx_dev_minor)) ? USES_FUSE : USES_NOTHING;
}

static enum use look_at_descriptors(const struct fuse_users *users, int proc)
{
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(proc, "fd", &numbers);
	enum use most = USES_NOTHING;
	char path[32];

	for (int i = 0; i < n && most < SERVES_FUSE; i++) {
		enum use use;

		snprintf(path, sizeof(path), "fd/%d", numbers[i]);
		use = look_at(users, proc, path);
		most = use > most ? use : most;
	}
	return most;
}

static bool has_mappings(const struct fuse_users *users, const struct task *task)
{
	AUTO(mappings_done) struct mappings maps = { 0 };

	if (mappings_read(task->dump->proc, MAPPINGS_PLAIN, &maps) < 0)
		return false;
	for (size_t i = 0; i < maps.n; i++)
		if (maps.items[i].inode && is_on(users, maps.items[i].dev))
			return true;
	return false;
}

static bool has_children(const struct task *task)
{
	AUTO(proc_pids_done) struct proc_pids pids = { 0 };

	return proc_children_read(task->dump->proc, &pids) < 0 || pids.n;
}

/* A server may have a helper, as sshfs has an ssh: it has nothing of the file system. Who has children waits for no
 * server, as a rule, and they cannot be stopped before it. */
bool freeze_serves_others(struct dump *d, const struct task *task)
{
	const struct fuse_users *users;
	enum use use;

	/* The first one waits for nobody of the tree when it is asked. */
	if (task == d->tree->root)
		return false;
	users = find_devices(d);
	if (!users->n)
		return false;
	use = look_at_descriptors(users, task->dump->proc);
	if (use != USES_NOTHING)
		return use == SERVES_FUSE;
	return look_at(users, task->dump->proc, "cwd") == USES_NOTHING &&
	       look_at(users, task->dump->proc, "exe") == USES_NOTHING && !has_mappings(users, task) &&
	       !has_children(task);
}

/* --- what was written --- */

/* In a process of its own, which may wait for a server for ever. */
static void __attribute__((noreturn)) sync_mounts(const struct proc_mounts *mounts, int root)
{
	for (size_t i = 0; i < mounts->n; i++) {
		int fd = strcmp(mounts->items[i].fs_type, "fuse") == 0
				 ? openat(root, mounts->items[i].mountpoint + 1, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
				 : -1;

		if (fd >= 0)
			(void)syncfs(fd);
	}
	_exit(0);
}

static void await_sync(pid_t pid)
{
	bool ended = false;

	for (int ms = 0; ms < SYNC_MS && !ended; ms++) {
		ended = waitpid(pid, NULL, WNOHANG | __WCLONE) != 0;
		if (!ended)
			usleep(1000);
	}
	if (ended)
		return;
	log_warn("A FUSE file system does not answer: what was written to it may not be at its server");
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR)
		;
}

/* --- what cannot be saved --- */

/* Older kernels say nothing of it. */
static bool has_connection(int proc, int number)
{
	AUTO(fdinfo_done) struct fdinfo info = { .dir = -1 };
	uint64_t connection;

	return fdinfo_open(&info, proc) == 0 && fdinfo_read(&info, number) == 0 &&
	       fdinfo_get_u64(&info, "fuse_connection", 10, &connection) == 0 && connection;
}

static bool is_server(void *arg, pid_t pid, int proc)
{
	const struct fuse_users none = { 0 };
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(proc, "fd", &numbers);
	char path[32];

	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "fd/%d", numbers[i]);
		if (look_at(&none, proc, path) != SERVES_FUSE || !has_connection(proc, numbers[i]))
			continue;
		*(pid_t *)arg = pid;
		return true;
	}
	return false;
}

/* A mount of ours is not saved. We would wait for its server as anybody does, be it stopped by us, and that so deeply
 * that not even our end would let it run. */
static int check_servers(const struct dump *d, int proc)
{
	AUTO_CLOSE int self = proc_open(getpid());
	ino_t own = 0, of_tree = 0;
	pid_t server = 0;

	if (self < 0 || proc_namespace(self, "ns/mnt", &own) < 0 || proc_namespace(proc, "ns/mnt", &of_tree) < 0 ||
	    own != of_tree)
		return 0;
	running_visit_tree(d->options->pid, NULL, is_server, &server);
	if (!server)
		return 0;
	return refuse(
		EOPNOTSUPP,
		"process %d of the tree serves a FUSE file system, and the mount namespace is that of criu, which is "
		"not saved: end it, or start the tree in a mount namespace of its own (unshare -m)",
		server);
}

int freeze_sync_served(struct dump *d)
{
	AUTO(proc_mounts_done) struct proc_mounts mounts = { 0 };
	AUTO_CLOSE int proc = proc_open(d->options->pid);
	AUTO_CLOSE int root = proc < 0 ? -1 : openat(proc, "root", O_PATH | O_CLOEXEC);
	bool any = false;
	pid_t pid;

	if (root < 0 || d->progress->only_look || proc_mounts_read(proc, d->pool, &mounts) < 0)
		return 0;
	for (size_t i = 0; i < mounts.n; i++)
		any |= strcmp(mounts.items[i].fs_type, "fuse") == 0;
	if (any)
		TRY(check_servers(d, proc));
	pid = any ? (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0) : -1; /* no signal at its end */
	if (pid == 0)
		sync_mounts(&mounts, root);
	if (pid > 0)
		await_sync(pid);
	return 0;
}
