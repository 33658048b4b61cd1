/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bounds the processes of an ordinary client besides its ids: limits, control group, priorities, ... Tasks that
 * are restored inherit them from us, and without capabilities they cannot be widened. All is done as long as we are
 * root.
 */
#include "service/client-bounds.h"

#include "service/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/urgent.h"
#include "kern/namespaces.h"
#include "kern/pidfd.h"
#include "kern/proc/children.h"
#include "kern/proc/cgroup.h"
#include "kern/proc/limits.h"
#include "kern/proc/proc.h"
#include "kern/proc/status.h"

/* As root we may look anywhere; "no such namespace" is the same for both. */
static bool same_file(int proc, const char *name)
{
	char own[64];
	struct stat ours, theirs;

	snprintf(own, sizeof(own), "/proc/self/%s", name);
	if (fstatat(proc, name, &theirs, 0) < 0)
		return access(own, F_OK) < 0;
	return stat(own, &ours) == 0 && ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/* A profile of a security module that is not ours. There may be no such module. */
static bool has_other_profile(int proc)
{
	char theirs[256] = "", ours[256] = "";

	if (file_read_text(proc, "attr/current", theirs, sizeof(theirs)) <= 0 || !strncmp(theirs, "unconfined", 10))
		return false;
	return file_read_text(AT_FDCWD, "/proc/self/attr/current", ours, sizeof(ours)) > 0 && strcmp(ours, theirs) != 0;
}

static void confine_option(struct connection *connection, enum confinement how, const char *why)
{
	connection->confinement = how;
	snprintf(connection->confined_by, sizeof(connection->confined_by), "%s", why);
}

static bool is_elsewhere(struct connection *connection, int proc)
{
	char name[24];

	for (size_t i = 0; i < n_kernel_namespaces; i++) {
		snprintf(name, sizeof(name), "ns/%s", kernel_namespaces[i].name);
		if (same_file(proc, name))
			continue;
		snprintf(name, sizeof(name), "another %s namespace", kernel_namespaces[i].name);
		confine_option(connection, CLIENT_ELSEWHERE, name);
		return true;
	}
	if (same_file(proc, "root"))
		return false;
	confine_option(connection, CLIENT_ELSEWHERE, "another root directory");
	return true;
}

/* Also if a single thread is: the connection may be its. */
static int check_thread(struct connection *connection, int thread)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };
	int error = proc_status_read(thread, &status);

	if (error < 0)
		return error;
	if (status.seccomp)
		confine_option(connection, CLIENT_FILTERED, "seccomp");
	else if (status.no_new_privs)
		confine_option(connection, CLIENT_FILTERED, "no_new_privs");
	return 0;
}

static int check_threads(struct connection *connection, int proc)
{
	AUTO(proc_pids_done) struct proc_pids tids = { 0 };
	int error = proc_threads_read(proc, &tids);

	for (size_t i = 0; i < tids.n && error == 0; i++) {
		AUTO_CLOSE int thread = proc_open_thread(proc, tids.items[i]);

		error = thread < 0 ? thread : check_thread(connection, thread);
		if (error == -ENOENT || error == -ESRCH)
			error = 0; /* it has just ended */
	}
	return error;
}

/*
 * A process in a sandbox may talk to us, but we are not in that sandbox, and neither would be what we restore from
 * images that it wrote, nor need it be able to read the tasks that we dump for it.
 */
int client_find_confinement(struct connection *connection, int pidfd)
{
	AUTO_CLOSE int proc = proc_open(connection->peer.pid);

	/* As long as it lives, its pid cannot belong to another one. */
	if (proc < 0 || pidfd_wait_exit(pidfd, 0) != -ETIMEDOUT)
		return refuse(ESRCH, "the client that connected, process %d, has gone", connection->peer.pid);
	if (is_elsewhere(connection, proc))
		return 0;
	if (check_threads(connection, proc) < 0)
		return refuse(EIO, "the client, process %d, cannot be examined", connection->peer.pid);
	if (connection->confinement == CLIENT_FREE && has_other_profile(proc))
		confine_option(connection, CLIENT_FILTERED, "a profile of a security module");
	return 0;
}

static int take_limits(int proc)
{
	struct proc_limits limits;

	if (proc_limits_read(proc, &limits) < 0)
		return fail(EIO, "reading the limits of the client");
	for (int i = 0; i < PROC_LIMITS; i++)
		if (setrlimit((__rlimit_resource_t)i, &limits.items[i]) < 0)
			return fail_errno("taking over limit %d of the client", i);
	return 0;
}

/* Images hold what is in the memory of tasks: who may read them is a matter of the client's umask. */
static int take_status(int proc)
{
	AUTO(proc_status_done) struct proc_status status = { 0 };

	if (proc_status_read(proc, &status) < 0)
		return fail(EIO, "reading the status of the client");
	umask(status.umask & 0777);
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(status.cap_bounding >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EINVAL)
			return fail_errno("dropping capability %d from the bounding set", cap);
	return 0;
}

/* Not everywhere there is such a file, or may it be written. */
static void take_file(int proc, const char *name)
{
	char theirs[32], ours[32], own[32];

	snprintf(own, sizeof(own), "/proc/self/%s", name);
	if (file_read_text(proc, name, theirs, sizeof(theirs)) <= 0 ||
	    file_read_text(AT_FDCWD, own, ours, sizeof(ours)) <= 0)
		return;
	if (strcmp(theirs, ours) != 0 && file_write_text(AT_FDCWD, own, theirs) < 0)
		log_warn("%s of the client cannot be taken over", name);
}

static bool enter_cgroup(const char *root, const char *path)
{
	char file[4096], pid[16];

	if ((size_t)snprintf(file, sizeof(file), "%s%s/cgroup.procs", root, path) >= sizeof(file))
		return false;
	snprintf(pid, sizeof(pid), "%d", getpid());
	return file_write_text(AT_FDCWD, file, pid) == 0;
}

/* cgroup2, where it is usually mounted. What bounds the client's processes shall bound those that come back; and they
 * shall not end with the service. */
static void take_cgroup(int proc)
{
	AUTO(proc_cgroups_done) struct proc_cgroups theirs = { 0 }, ours = { 0 };
	AUTO(pool_destroy) struct pool *pool = pool_create();
	AUTO_CLOSE int self = proc_open(getpid());

	if (proc_cgroups_read(proc, pool, &theirs) < 0 || proc_cgroups_read(self, pool, &ours) < 0)
		return;
	for (size_t i = 0; i < theirs.n; i++) {
		const char *path = theirs.items[i].path;

		if (theirs.items[i].hierarchy != 0 || !ours.n || !strcmp(ours.items[ours.n - 1].path, path))
			continue;
		if (!enter_cgroup("/sys/fs/cgroup", path) && !enter_cgroup("/sys/fs/cgroup/unified", path))
			log_warn("the cgroup %s of the client cannot be entered", path);
	}
}

static int take_nice(pid_t pid)
{
	int nice;

	errno = 0;
	nice = getpriority(PRIO_PROCESS, (id_t)pid);
	if (errno || setpriority(PRIO_PROCESS, 0, nice) < 0)
		return fail_errno("taking over the priority of the client");
	return 0;
}

int client_take_bounds(pid_t pid, int pidfd)
{
	AUTO_CLOSE int proc = proc_open(pid);

	TRY(proc);
	take_cgroup(proc);
	take_file(proc, "loginuid");
	take_file(proc, "oom_score_adj"); /* also the border below which it takes CAP_SYS_RESOURCE */
	TRY(take_nice(pid));
	urgent_forbid();
	TRY(take_status(proc));
	TRY(take_limits(proc));
	if (pidfd_wait_exit(pidfd, 0) != -ETIMEDOUT)
		return refuse(ESRCH, "the client that connected, process %d, has gone", pid);
	return 0;
}
