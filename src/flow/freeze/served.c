/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FUSE file systems that the tree sees, before it is stopped: what was written to them is given to their servers, and
 * servers that must not be stopped are found. Whoever waits for one that stands still waits so deeply that not even his
 * end would let it run.
 */
#include "flow/freeze/served.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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
#include "base/text.h"
#include "base/vector.h"
#include "kern/proc/fdinfo.h"
#include "kern/proc/mountinfo.h"
#include "kern/proc/proc.h"
#include "kern/proc/running.h"
#include "object/mount/mount.h"
#include "session/session.h"

#define SYNC_MS	   5000
#define MISC_MAJOR 10
#define FUSE_MINOR 229
#define MINOR_BITS 20 /* of a device in the kernel */

struct served_mount {
	dev_t dev;
	bool on_disk;
	const char *point;
	int root; /* that point begins in */
};

struct served {
	bool tried, none; /* on the whole machine */
	VECTOR(ino_t) spaces;
	VECTOR(int) roots;
	VECTOR(struct served_mount) mounts;
};

static void destroy_served(void *state)
{
	struct served *served = state;

	for (size_t i = 0; i < served->roots.n; i++)
		if (served->roots.items[i] >= 0)
			close(served->roots.items[i]);
	vector_done(&served->spaces);
	vector_done(&served->roots);
	vector_done(&served->mounts);
}

static const struct state_type served_type = { sizeof(struct served), destroy_served };

/* Each has a queue for what is written back, named by its device; those on disks say so. */
static bool machine_has_none(void)
{
	AUTO_CLOSEDIR DIR *dir = opendir("/sys/class/bdi");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (text_starts(entry->d_name, "0:") || text_ends(entry->d_name, "-fuseblk"))
			return false;
	return dir;
}

static struct served *served_of(const struct dump *d)
{
	struct served *served = state_get(d->states, &served_type);

	if (!served->tried)
		served->none = machine_has_none();
	served->tried = true;
	return served;
}

bool served_look(const struct dump *d, int proc)
{
	AUTO(proc_mounts_done) struct proc_mounts mounts = { 0 };
	struct served *served = served_of(d);
	ino_t space;
	int root;

	if (served->none)
		return false;
	if (proc_namespace(proc, "ns/mnt", &space) < 0)
		return served->mounts.n;
	for (size_t i = 0; i < served->spaces.n; i++)
		if (served->spaces.items[i] == space)
			return served->mounts.n;
	if (proc_mounts_read(proc, d->pool, &mounts) < 0)
		return served->mounts.n;
	*vector_push(&served->spaces) = space;
	*vector_push(&served->roots) = root = openat(proc, "root", O_PATH | O_CLOEXEC);
	for (size_t i = 0; i < mounts.n; i++) {
		const struct proc_mount *seen = &mounts.items[i];
		const bool on_disk = strcmp(seen->fs_type, "fuseblk") == 0;

		if (on_disk || strcmp(seen->fs_type, "fuse") == 0)
			*vector_push(&served->mounts) =
				(struct served_mount){ seen->dev, on_disk, seen->mountpoint, root };
	}
	return served->mounts.n;
}

bool served_is_on(const struct dump *d, dev_t dev)
{
	const struct served *served = served_of(d);

	for (size_t i = 0; i < served->mounts.n; i++)
		if (served->mounts.items[i].dev == dev)
			return true;
	return false;
}

/* --- what was written --- */

/* In a process of its own, which may wait for a server for ever. */
static void __attribute__((noreturn)) sync_mounts(const struct served *served)
{
	for (size_t i = 0; i < served->mounts.n; i++) {
		const struct served_mount *mount = &served->mounts.items[i];
		int fd = openat(mount->root, mount->point + 1, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

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

struct server_search {
	const struct dump *d;
	struct proc_mounts own; /* of criu */
	int error;
};

static bool is_device(int proc, int number)
{
	struct statx st;
	char path[32];

	snprintf(path, sizeof(path), "fd/%d", number);
	return statx(proc, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 && S_ISCHR(st.stx_mode) &&
	       st.stx_rdev_major == MISC_MAJOR && st.stx_rdev_minor == FUSE_MINOR;
}

/* 1: it serves the file system of that device. fdinfo of new kernels tells it (6.18 does), else only their memory. */
static int find_connection(const struct dump *d, int proc, int number, dev_t *ret)
{
	AUTO(fdinfo_done) struct fdinfo info = { .dir = -1 };
	uint64_t device;

	if (fdinfo_open(&info, proc) < 0 || fdinfo_read(&info, number) < 0)
		return 0; /* it has just gone */
	if (!fdinfo_get(&info, "fuse_connection"))
		return mount_dump_fuse_device(d, proc, number, ret);
	TRY(fdinfo_get_u64(&info, "fuse_connection", 10, &device));
	*ret = makedev((unsigned)(device >> MINOR_BITS), (unsigned)device & ((1u << MINOR_BITS) - 1));
	return 1;
}

static int judge_server(const struct server_search *search, pid_t pid, dev_t dev)
{
	const struct served *served = served_of(search->d);

	for (size_t i = 0; i < search->own.n; i++)
		if (search->own.items[i].dev == dev)
			return refuse(
				EOPNOTSUPP,
				"process %d of the tree serves a FUSE file system, %s, that is mounted in the mount "
				"namespace of criu, which is not saved: end it, or start the tree in a mount "
				"namespace of its own (unshare -m)",
				pid, search->own.items[i].mountpoint);
	for (size_t i = 0; i < served->mounts.n; i++)
		if (served->mounts.items[i].dev == dev && served->mounts.items[i].on_disk)
			return refuse(
				EOPNOTSUPP,
				"process %d of the tree serves a file system of a block device by FUSE (fuseblk), "
				"%s: unmount it before the dump",
				pid, served->mounts.items[i].point);
	return 0;
}

static bool look_at_process(void *arg, pid_t pid, int proc)
{
	struct server_search *search = arg;
	AUTO_FREE int *numbers = NULL;
	int n = fd_list(proc, "fd", &numbers);

	(void)served_look(search->d, proc);
	for (int i = 0; i < n && search->error >= 0; i++) {
		dev_t dev;

		if (!is_device(proc, numbers[i]))
			continue;
		search->error = find_connection(search->d, proc, numbers[i], &dev);
		if (search->error > 0)
			search->error = judge_server(search, pid, dev);
	}
	return search->error < 0;
}

static int check_servers(const struct dump *d)
{
	AUTO_CLOSE int self = proc_open(getpid());
	struct server_search search = { .d = d };

	if (self < 0)
		return fail(-self, "opening /proc/self");
	TRY(proc_mounts_read(self, d->pool, &search.own));
	running_visit_tree(d->options->pid, NULL, NULL, look_at_process, &search);
	proc_mounts_done(&search.own);
	return search.error;
}

int served_prepare(const struct dump *d)
{
	const struct served *served = served_of(d);
	pid_t pid;

	if (served->none)
		return 0;
	TRY(check_servers(d)); /* a survey stops them, too */
	if (!served->mounts.n || d->progress->only_look)
		return 0;
	pid = (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0); /* no signal at its end */
	if (pid == 0)
		sync_mounts(served);
	if (pid > 0)
		await_sync(pid);
	return 0;
}
