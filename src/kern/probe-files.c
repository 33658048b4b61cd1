/* SPDX-License-Identifier: LGPL-2.1-only */
/* Experiments with files, terminals, mounts and System V IPC. */
#include "kern/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/text.h"

static bool fdinfo_contains(int fd, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return probe_file_contains(path, text);
}

int probe_fdinfo(void)
{
	sigset_t set;
	AUTO_CLOSE int event = eventfd(7, EFD_CLOEXEC);
	AUTO_CLOSE int epoll = epoll_create1(EPOLL_CLOEXEC);
	AUTO_CLOSE int inotify = inotify_init1(IN_CLOEXEC);
	AUTO_CLOSE int signal_fd = -1;
	struct epoll_event watch = { .events = EPOLLIN };

	sigemptyset(&set);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (event < 0 || epoll < 0 || inotify < 0 || signal_fd < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, event, &watch) < 0 || inotify_add_watch(inotify, "/", IN_DELETE_SELF) < 0)
		return -errno; /* limits of a user: fs.inotify, descriptors */
	return fdinfo_contains(event, "eventfd-count:") && fdinfo_contains(epoll, "tfd:") &&
	       fdinfo_contains(inotify, "inotify wd:") && fdinfo_contains(signal_fd, "sigmask:");
}

int probe_mnt_id(void)
{
	AUTO_CLOSE int fd = open("/", O_PATH | O_CLOEXEC);

	return fd >= 0 && fdinfo_contains(fd, "mnt_id:");
}

int probe_timerfd(void)
{
	AUTO_CLOSE int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct itimerspec far = { .it_value = { .tv_sec = 1000 } };
	uint64_t ticks = 3, back = 0;

	if (fd < 0 || timerfd_settime(fd, 0, &far, NULL) < 0)
		return 0;
	return fdinfo_contains(fd, "clockid:") &&
	       ioctl(fd, _IOW('T', 0, uint64_t) /* TFD_IOC_SET_TICKS */, &ticks) == 0 &&
	       read(fd, &back, sizeof(back)) == sizeof(back) && back == 3;
}

int probe_fdinfo_lock(void)
{
	AUTO_CLOSE int fd = (int)syscall(SYS_memfd_create, "probe", MFD_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fdinfo_contains(fd, "lock:");
}

int probe_openat2(void)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS };
	AUTO_CLOSE int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));

	return fd >= 0;
}

/* Before the kernel is asked: -errno if the device cannot be opened, kernel.pty.max (ENOSPC) among others. */
static int try_ptmx(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	int locked, packet, exclusive, unlock = 0;

	if (fd < 0)
		return -errno;
	return ioctl(fd, TIOCSPTLCK, &unlock) == 0 && ioctl(fd, TIOCGPTLCK, &locked) == 0 &&
	       ioctl(fd, TIOCGPKT, &packet) == 0 && ioctl(fd, TIOCGEXCL, &exclusive) == 0;
}

static int try_own_devpts(void)
{
	if (mount("probe", "/proc", "devpts", 0, "newinstance,ptmxmode=0600") < 0)
		return probe_failed();
	return try_ptmx("/proc/ptmx");
}

/* Where no devpts is mounted, the kernel has it all the same. */
int probe_pty(void)
{
	int result = try_ptmx("/dev/ptmx");

	return result < 0 && result != -ENOSPC ? probe_in_namespaces(try_own_devpts) : result;
}

static int open_tun(void)
{
	return open("/dev/net/tun", O_RDWR | O_CLOEXEC);
}

static int try_tun(void)
{
	AUTO_CLOSE int fd = open_tun();
	struct ifreq request = { .ifr_name = "criu-probe", .ifr_flags = IFF_TUN };

	if (fd < 0)
		return errno == ENOENT ? -ENODEV : probe_failed();
	return ioctl(fd, TUNSETIFF, &request) == 0 && ioctl(fd, TUNGETIFF, &request) == 0;
}

int probe_tun(void)
{
	return probe_in_namespaces(try_tun);
}

int probe_tun_ns(void)
{
	AUTO_CLOSE int fd = open_tun();
	AUTO_CLOSE int ns = fd < 0 ? -1 : ioctl(fd, 0x894C /* SIOCGSKNS */, 0);

	return ns >= 0;
}

/* In an own namespace, so that nobody else sees the queue; it ends with the child. */
static int try_msg_copy(void)
{
	struct {
		long type;
		char text[8];
	} message = { 5, "probe" }, back = { 0 };
	int queue = unshare(CLONE_NEWIPC) < 0 ? -1 : msgget(IPC_PRIVATE, 0600);

	if (queue < 0)
		return -errno;
	return queue >= 0 && msgsnd(queue, &message, sizeof(message.text), 0) == 0 &&
	       msgrcv(queue, &back, sizeof(back.text), 0, IPC_NOWAIT | 040000 /* MSG_COPY */) == sizeof(back.text) &&
	       !strcmp(back.text, "probe");
}

int probe_sysv_ipc(void)
{
	if (access("/proc/sys/kernel/sem_next_id", W_OK) < 0 || access("/proc/sys/kernel/msg_next_id", W_OK) < 0 ||
	    access("/proc/sys/kernel/shm_next_id", W_OK) < 0)
		return 0;
	return probe_in_child(try_msg_copy);
}

/* From here on: inside fresh namespaces with a private tmpfs on /tmp. */
static bool mount_tmp(void)
{
	return mount("probe", "/tmp", "tmpfs", 0, NULL) == 0;
}

static int try_set_group(void)
{
	enum { SET_GROUP = 0x100 }; /* MOVE_MOUNT_SET_GROUP, since 5.15 */

	if (!mount_tmp() || mkdir("/tmp/a", 0700) < 0 || mkdir("/tmp/b", 0700) < 0 ||
	    mount("a", "/tmp/a", "tmpfs", 0, NULL) < 0 || mount("/tmp/a", "/tmp/b", NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, "/tmp/a", NULL, MS_SHARED, NULL) < 0)
		return -errno;
	return syscall(SYS_move_mount, AT_FDCWD, "/tmp/a", AT_FDCWD, "/tmp/b", SET_GROUP) == 0;
}

int probe_move_mount_set_group(void)
{
	return probe_in_namespaces(try_set_group);
}

/* The device and inode that /proc/self/maps shows must be those that stat(2) tells. */
static int try_overlay_maps(void)
{
	char expected[64];
	struct stat st;
	int fd;

	if (!mount_tmp() || mkdir("/tmp/l", 0700) < 0 || mkdir("/tmp/u", 0700) < 0 || mkdir("/tmp/w", 0700) < 0 ||
	    mkdir("/tmp/m", 0700) < 0)
		return -errno;
	if (mount("probe", "/tmp/m", "overlay", 0, "lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w") < 0)
		return 0;
	fd = open("/tmp/m/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 4096) < 0 || fstat(fd, &st) < 0 ||
	    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		return -errno;
	snprintf(expected, sizeof(expected), "%02x:%02x %lu ", major(st.st_dev), minor(st.st_dev),
		 (unsigned long)st.st_ino);
	return probe_file_contains("/proc/self/maps", expected);
}

int probe_overlayfs_maps(void)
{
	return probe_in_namespaces(try_overlay_maps);
}

static int try_autofs(void)
{
	char options[96], inode[64];
	struct stat st;
	int fds[2];

	if (!mount_tmp() || pipe(fds) < 0 || fstat(fds[1], &st) < 0)
		return -errno;
	snprintf(options, sizeof(options), "fd=%d,pgrp=%d,minproto=5,maxproto=5,indirect", fds[1], getpgrp());
	if (mount("probe", "/tmp", "autofs", 0, options) < 0)
		return 0;
	snprintf(inode, sizeof(inode), "pipe_ino=%lu", (unsigned long)st.st_ino);
	return probe_file_contains("/proc/self/mountinfo", inode);
}

int probe_autofs(void)
{
	return probe_in_namespaces(try_autofs);
}
