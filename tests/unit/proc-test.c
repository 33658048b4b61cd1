/* SPDX-License-Identifier: GPL-2.0-only */
/* The smaller files of /proc/PID: children, timers, limits, cgroup, locks, mountinfo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "kern/proc/file-iter.h"
#include "kern/proc/cgroup.h"
#include "kern/proc/children.h"
#include "kern/proc/limits.h"
#include "kern/proc/locks.h"
#include "kern/proc/mountinfo.h"
#include "kern/proc/proc.h"
#include "kern/proc/running.h"
#include "kern/proc/timers.h"
#include "golden.h"

static void *fork_in_thread(void *arg)
{
	pid_t *child = arg;

	*child = fork();
	if (*child == 0) {
		pause();
		_exit(0);
	}
	pause();
	return NULL;
}

static void wake(int signal)
{
}

/* Children of all threads, not only of the leader. */
static void test_threads_and_children(void **state)
{
	struct proc_pids pids = { 0 };
	int proc = proc_open(getpid());
	volatile pid_t children[2] = { 0 };
	pthread_t thread;

	signal(SIGUSR1, wake);
	children[0] = fork();
	if (children[0] == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(pthread_create(&thread, NULL, fork_in_thread, (void *)&children[1]), 0);
	while (!children[1])
		usleep(1000);

	assert_int_equal(proc_threads_read(proc, &pids), 0);
	assert_int_equal(pids.n, 2);
	assert_int_equal(pids.items[0], getpid());
	assert_int_equal(proc_children_read(proc, &pids), 0);
	assert_int_equal(pids.n, 2);
	assert_int_equal(pids.items[0], children[0]);
	assert_int_equal(pids.items[1], children[1]);

	for (int i = 0; i < 2; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	assert_int_equal(proc_children_read(proc, &pids), 0);
	assert_int_equal(pids.n, 0);
	proc_pids_done(&pids);
	close(proc);
}

static void test_timers(void **state)
{
	char *text = read_golden("proc/timers", NULL);
	struct proc_timers timers = { 0 };
	const struct proc_timer *timer;

	assert_int_equal(proc_timers_parse(text, &timers), 0);
	assert_int_equal(timers.n, 3);
	timer = &timers.items[0];
	assert_int_equal(timer->id, 2);
	assert_int_equal(timer->signal, 10);
	assert_true(timer->sival_ptr == 0x7fff00000001);
	assert_int_equal(timer->notify, SIGEV_THREAD_ID);
	assert_int_equal(timer->target, 28622);
	assert_int_equal(timer->clock, CLOCK_BOOTTIME);
	assert_int_equal(timers.items[1].notify, SIGEV_NONE);
	assert_int_equal(timers.items[2].notify, SIGEV_SIGNAL);
	assert_true(timers.items[2].sival_ptr == 0xdeadbeef0000);
	proc_timers_done(&timers);
	free(text);
}

static void test_own_timers(void **state)
{
	int proc = proc_open(getpid());
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMAX, .sigev_value.sival_int = 3 };
	struct proc_timers timers = { 0 };
	timer_t id;

	assert_int_equal(proc_timers_read(proc, &timers), 0);
	assert_int_equal(timers.n, 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &id), 0);
	assert_int_equal(proc_timers_read(proc, &timers), 0);
	assert_int_equal(timers.n, 1);
	assert_int_equal(timers.items[0].signal, SIGRTMAX);
	assert_int_equal((uint32_t)timers.items[0].sival_ptr, 3);
	assert_int_equal(timers.items[0].target, getpid());
	timer_delete(id);
	proc_timers_done(&timers);
	close(proc);
}

static void test_limits(void **state)
{
	char *text = read_golden("proc/limits", NULL);
	struct proc_limits limits;
	struct rlimit limit;
	int proc = proc_open(getpid());

	assert_int_equal(proc_limits_parse(text, &limits), 0);
	assert_int_equal(limits.items[RLIMIT_NOFILE].rlim_cur, 100);
	assert_int_equal(limits.items[RLIMIT_NOFILE].rlim_max, 200);
	assert_int_equal(limits.items[RLIMIT_CORE].rlim_cur, 0);
	assert_true(limits.items[RLIMIT_CORE].rlim_max == RLIM_INFINITY);
	assert_int_equal(limits.items[RLIMIT_MSGQUEUE].rlim_max, 819200);
	free(text);

	assert_int_equal(proc_limits_read(proc, &limits), 0);
	for (int i = 0; i < (int)PROC_LIMITS; i++) {
		assert_int_equal(getrlimit((__rlimit_resource_t)i, &limit), 0);
		assert_true(limit.rlim_cur == limits.items[i].rlim_cur && limit.rlim_max == limits.items[i].rlim_max);
	}
	close(proc);

	text = strdup("Max cpu time  unlimited unlimited seconds\n");
	assert_int_equal(proc_limits_parse(text, &limits), -EINVAL);
	free(text);
}

static void test_cgroups(void **state)
{
	char *text = read_golden("proc/cgroup", NULL), broken[] = "0:cpu\n";
	struct pool *pool = pool_create();
	struct proc_cgroups cgroups = { 0 };

	assert_int_equal(proc_cgroups_parse(text, pool, &cgroups), 0);
	free(text);
	assert_int_equal(cgroups.n, 10);
	assert_int_equal(cgroups.items[0].hierarchy, 9);
	assert_string_equal(cgroups.items[0].controllers, "name=systemd");
	assert_string_equal(cgroups.items[0].path, "/");
	assert_string_equal(cgroups.items[5].controllers, "memory");
	assert_string_equal(cgroups.items[5].path, "/user.slice/a:b c");
	assert_int_equal(cgroups.items[9].hierarchy, 0);
	assert_string_equal(cgroups.items[9].controllers, "");
	assert_int_equal(proc_cgroups_parse(broken, pool, &cgroups), -EINVAL);
	proc_cgroups_done(&cgroups);
	pool_destroy(&pool);
}

static void check_lock(const struct proc_lock *lock, int64_t id, enum proc_lock_kind kind, int type, pid_t pid)
{
	assert_int_equal(lock->id, id);
	assert_int_equal(lock->kind, kind);
	assert_int_equal(lock->type, type);
	assert_int_equal(lock->pid, pid);
	assert_true(lock->dev == makedev(0xfe, 0));
}

static void test_locks(void **state)
{
	char *text = read_golden("proc/locks", NULL);
	struct proc_locks locks = { 0 };
	struct proc_lock lock;

	assert_int_equal(proc_locks_parse(text, &locks), 0);
	free(text);
	assert_int_equal(locks.n, 5);
	check_lock(&locks.items[0], 1, PROC_LOCK_LEASE, F_RDLCK, 28265);
	check_lock(&locks.items[1], 2, PROC_LOCK_OFD, F_RDLCK, -1);
	assert_int_equal(locks.items[1].start, 100);
	assert_true(locks.items[1].end == PROC_LOCK_EOF);
	check_lock(&locks.items[2], 3, PROC_LOCK_FLOCK, F_RDLCK, 28265);
	check_lock(&locks.items[3], 4, PROC_LOCK_POSIX, F_WRLCK, 28265);
	assert_int_equal(locks.items[3].end, 14);
	assert_int_equal(locks.items[3].inode, 10953184);
	assert_false(locks.items[3].waiting);
	check_lock(&locks.items[4], 4, PROC_LOCK_POSIX, F_WRLCK, 28266);
	assert_true(locks.items[4].waiting);
	proc_locks_done(&locks);

	assert_int_equal(proc_lock_parse("1: LEASE  BREAKING  UNLCK 12 00:2a:5 0 EOF", &lock), 0);
	assert_true(lock.breaking && lock.type == F_UNLCK);
	assert_int_equal(proc_lock_parse("1: POSIX  MANDATORY READ  12 <none>:0 0 EOF", &lock), 0);
	assert_true(lock.mandatory && lock.inode == 0);
	assert_int_equal(proc_lock_parse("1: POSIX  ADVISORY  READ  12 00:2a:5 0", &lock), -EINVAL);
	assert_int_equal(proc_lock_parse("", &lock), -EINVAL);
	assert_int_equal(proc_locks_read(&locks), 0);
	proc_locks_done(&locks);
}

static void test_mounts(void **state)
{
	char *text = read_golden("proc/mountinfo", NULL), broken[] = "1 2 0:1 / / rw - tmpfs\n";
	struct pool *pool = pool_create();
	struct proc_mounts mounts = { 0 };
	const struct proc_mount *mount;

	assert_int_equal(proc_mounts_parse(text, pool, &mounts), 0);
	free(text);
	assert_int_equal(mounts.n, 10);
	mount = &mounts.items[0];
	assert_true(mount->id == 43 && mount->parent_id == 42 && mount->dev == makedev(254, 0));
	assert_string_equal(mount->mountpoint, "/");
	assert_string_equal(mount->source, "/dev/vda");
	assert_true(mount->flags == MS_RELATIME);
	mount = proc_mounts_find(&mounts, 63);
	assert_string_equal(mount->mountpoint, "/tmp/base-g/a b");
	assert_string_equal(mount->source, "my src");
	assert_true(mount->flags == (MS_NOSUID | MS_NOEXEC | MS_NODIRATIME | MS_RELATIME));
	assert_string_equal(mount->super_options, "rw,size=1024k");
	mount = proc_mounts_find(&mounts, 64);
	assert_string_equal(mount->mountpoint, "/tmp/base-g/new\nl\\ine");
	assert_string_equal(mount->source, "");
	assert_true(mount->flags & MS_RDONLY && mount->super_flags == MS_RDONLY);
	assert_int_equal(proc_mounts_find(&mounts, 65)->shared, 1);
	mount = proc_mounts_find(&mounts, 66);
	assert_string_equal(mount->root, "/d");
	assert_true(mount->shared == 2 && mount->master == 1);
	assert_true(proc_mounts_find(&mounts, 67)->unbindable);
	mount = proc_mounts_find(&mounts, 70);
	assert_string_equal(mount->fs_type, "fuse");
	assert_string_equal(mount->fs_subtype, "sshfs");
	assert_int_equal(mount->propagate_from, 1);
	assert_null(proc_mounts_find(&mounts, 1));
	assert_int_equal(proc_mounts_parse(broken, pool, &mounts), -EINVAL);
	proc_mounts_done(&mounts);
	pool_destroy(&pool);
}

struct descriptors_seen {
	struct stat wanted;
	bool last;
	int numbers[8], n;
};

static bool see_descriptor(void *arg, const struct running_descriptor *one)
{
	struct descriptors_seen *seen = arg;

	assert_int_equal(one->format, S_IFIFO);
	assert_true(one->fd >= 0 && one->fd != one->number);
	seen->numbers[seen->n++] = one->number;
	return seen->last;
}

static bool is_wanted(void *arg, const struct running_descriptor *one)
{
	const struct descriptors_seen *seen = arg;

	return one->dev == seen->wanted.st_dev && one->ino == seen->wanted.st_ino;
}

static void check_visits(struct file_iter *iter, struct stat wanted)
{
	static const int numbers[] = { 40, 41, 200, 777 };
	struct descriptors_seen seen = { .wanted = wanted };
	const struct running_visitor visitor = { iter, is_wanted, see_descriptor, &seen };
	int proc = proc_open(getpid());

	assert_true(proc >= 0);
	running_visit_descriptors(getpid(), proc, &visitor);
	assert_int_equal(seen.n, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(seen.numbers[i], numbers[i]);
	seen.n = 0;
	seen.last = true;
	running_visit_descriptors(getpid(), proc, &visitor);
	assert_int_equal(seen.n, 1);
	close(proc);
}

/* Each once, whether the numbers follow each other or not; one by one, and told at once. */
static void test_running_descriptors(void **state)
{
	AUTO(file_iter_destroy) struct file_iter *iter = file_iter_create();
	int ends[2], others[FILE_ITER_WORTH];
	struct stat wanted;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fstat(ends[0], &wanted), 0);
	assert_int_equal(dup2(ends[0], 40), 40);
	assert_int_equal(dup2(ends[0], 41), 41);
	assert_int_equal(dup2(ends[0], 200), 200);
	assert_int_equal(dup2(ends[0], 777), 777);
	close(ends[0]);
	close(ends[1]);
	check_visits(NULL, wanted);
	for (size_t i = 0; i < FILE_ITER_WORTH; i++)
		assert_true((others[i] = eventfd(0, 0)) >= 0);
	check_visits(iter, wanted);
	for (size_t i = 0; i < FILE_ITER_WORTH; i++)
		close(others[i]);
	close(40);
	close(41);
	close(200);
	close(777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_and_children),
		cmocka_unit_test(test_running_descriptors),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_own_timers),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_cgroups),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
