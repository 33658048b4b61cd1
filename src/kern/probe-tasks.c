/* SPDX-License-Identifier: LGPL-2.1-only */
/* Experiments with tasks: ptrace, signals, pids, timers, namespaces. */
#include "kern/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch_probe.h"
#include "arch_regs.h"
#include "base/auto.h"
#include "base/file.h"
#include "kern/namespaces.h"

int probe_ns_last_pid(void)
{
	AUTO_CLOSE int fd = open("/proc/sys/kernel/ns_last_pid", O_RDWR | O_CLOEXEC);

	return fd >= 0 ? 1 : probe_failed();
}

int probe_kcmp(void)
{
	AUTO_CLOSE int fd = eventfd(0, EFD_CLOEXEC);
	AUTO_CLOSE int other = eventfd(0, EFD_CLOEXEC);
	AUTO_CLOSE int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	pid_t pid = getpid();

	if (copy < 0 || other < 0)
		return -errno;
	return syscall(SYS_kcmp, pid, pid, KCMP_FILE, fd, copy) == 0 &&
	       syscall(SYS_kcmp, pid, pid, KCMP_FILE, fd, other) > 0;
}

int probe_kcmp_epoll(void)
{
	AUTO_CLOSE int fd = eventfd(0, EFD_CLOEXEC);
	AUTO_CLOSE int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };
	struct kcmp_epoll_slot slot = { .efd = (uint32_t)epoll, .tfd = (uint32_t)fd };
	pid_t pid = getpid();

	if (fd < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	return syscall(SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, fd, &slot) == 0;
}

int probe_fcntl_owner(void)
{
	enum { GET_OWNER_UIDS = 17 }; /* F_GETOWNER_UIDS, not in the headers of libc */
	AUTO_CLOSE int fd = eventfd(0, EFD_CLOEXEC);
	uint32_t uids[2];

	if (fd < 0)
		return -errno;
	return fcntl(fd, GET_OWNER_UIDS, uids) == 0;
}

int probe_proc_stat(void)
{
	char stat[1024], *at;
	int fields = 2;

	if (file_read_text(AT_FDCWD, "/proc/self/stat", stat, sizeof(stat)) < 0 || !(at = strrchr(stat, ')')))
		return -EIO;
	while ((at = strchr(at + 1, ' ')))
		fields++;
	return fields >= 52;
}

/* A signal that nobody but the kernel could have sent: with a positive code. */
static int try_sigqueue(void)
{
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER }, back;
	struct timespec now = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	info.si_pid = 4711;
	info.si_code = SI_KERNEL;
	if (syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info) < 0)
		return 0;
	return sigtimedwait(&set, &back, &now) == SIGUSR1 && back.si_code == SI_KERNEL && back.si_pid == 4711;
}

int probe_sigqueue(void)
{
	return probe_in_child(try_sigqueue);
}

/* Everything that asks a stopped child. */
static int ask_tracee(int (*prepare)(void), int (*ask)(pid_t pid))
{
	int pid = probe_start_tracee(prepare), result;

	if (pid < 0)
		return pid;
	result = ask(pid);
	probe_end_tracee(pid);
	return result;
}

static int block_and_raise(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	return sigprocmask(SIG_BLOCK, &set, NULL) < 0 || kill(getpid(), SIGUSR1) < 0 ? -errno : 0;
}

static int ask_siginfo(pid_t pid)
{
	struct __ptrace_peeksiginfo_args args = { .flags = PTRACE_PEEKSIGINFO_SHARED, .nr = 1 };
	siginfo_t info;

	return ptrace(PTRACE_PEEKSIGINFO, pid, &args, &info) == 1 && info.si_signo == SIGUSR1;
}

int probe_peek_siginfo(void)
{
	return ask_tracee(block_and_raise, ask_siginfo);
}

static int ask_suspend(pid_t pid)
{
	/* EPERM where criu has a filter itself. */
	return ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_SUSPEND_SECCOMP) == 0 ? 1 : probe_failed();
}

int probe_seccomp_suspend(void)
{
	return ask_tracee(NULL, ask_suspend);
}

static int install_filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = 1, .filter = &allow };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0
		       ? -errno
		       : 0;
}

static int ask_filter(pid_t pid)
{
	return ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, NULL) == 1 ? 1 : probe_failed();
}

int probe_seccomp_filters(void)
{
	int result = ask_tracee(install_filter, ask_filter);

	return result == -EINVAL ? 0 : result; /* a kernel without filters */
}

static int ask_rseq(pid_t pid)
{
	enum { GET_RSEQ = 0x420f }; /* PTRACE_GET_RSEQ_CONFIGURATION */
	struct {
		uint64_t address;
		uint32_t size, signature, flags, pad;
	} conf;

	return ptrace((enum __ptrace_request)GET_RSEQ, pid, sizeof(conf), &conf) == sizeof(conf);
}

int probe_get_rseq_conf(void)
{
	return ask_tracee(NULL, ask_rseq);
}

static int ask_breakpoints(pid_t pid)
{
	return arch_breakpoints_try(pid);
}

int probe_breakpoints(void)
{
	return ask_tracee(NULL, ask_breakpoints);
}

int probe_io_ports(void)
{
	return arch_has_io_ports();
}

static int try_loginuid(void)
{
	char text[32];

	if (file_read_text(AT_FDCWD, "/proc/self/loginuid", text, sizeof(text)) < 0)
		return 0;
	return file_write_text(AT_FDCWD, "/proc/self/loginuid", text) >= 0;
}

int probe_loginuid(void)
{
	return probe_in_child(try_loginuid);
}

int probe_posix_timers(void)
{
	AUTO_CLOSE int fd = open("/proc/self/timers", O_RDONLY | O_CLOEXEC);

	return fd >= 0;
}

int probe_alarm_timers(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	int id = 0;

	if (syscall(SYS_timer_create, CLOCK_BOOTTIME_ALARM, &event, &id) == 0)
		return syscall(SYS_timer_delete, id) == 0;
	return errno == EOPNOTSUPP ? 0 : probe_failed();
}

static int try_timer_ids(void)
{
	enum { RESTORE_IDS = 77, ON = 1 }; /* PR_TIMER_CREATE_RESTORE_IDS, since 6.16 */
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	int id = 1234567;

	return prctl(RESTORE_IDS, ON, 0, 0, 0) == 0 && syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) == 0 &&
	       id == 1234567;
}

int probe_timer_cr_ids(void)
{
	return probe_in_child(try_timer_ids);
}

#define FIRST_PID 300 /* the kernel goes on here when it has come to pid_max (kernel/pid.c) */

static pid_t read_pid_max(void)
{
	char text[32];
	int max = file_read_text(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof(text)) < 0 ? 0 : atoi(text);

	return max > FIRST_PID ? max : 32768; /* the default, and the least that any machine with tasks has */
}

/* A child with a chosen pid: 1 if it can be made. Many pids may be taken, so it tries all of them if need be. */
static int clone_with_pid(uint64_t flags)
{
	const pid_t max = read_pid_max();
	pid_t wanted = getpid() + 100;

	for (pid_t tried = 0; tried < max; tried++, wanted++) {
		if (wanted >= max)
			wanted = FIRST_PID < max ? FIRST_PID : 2;
		struct clone_args args = {
			.flags = flags,
			.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
			.set_tid = (uintptr_t)&wanted,
			.set_tid_size = 1,
		};
		long pid = syscall(SYS_clone3, &args, sizeof(args));

		if (pid == 0)
			_exit(0);
		if (pid > 0)
			return pid == wanted;
		if (errno == EAGAIN || errno == ENOMEM)
			return -errno;
		if (errno != EEXIST)
			return 0;
	}
	return -EAGAIN;
}

static int try_set_tid(void)
{
	return clone_with_pid(0);
}

int probe_clone3_set_tid(void)
{
	return probe_in_child(try_set_tid);
}

/* The sibling would become a child of ours, so there is one process between. */
static int try_sibling(void)
{
	enum { BUSY = 2 };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int result = clone_with_pid(CLONE_PARENT);

		_exit(result < 0 ? BUSY : result);
	}
	while (pid > 0 && waitpid(-1, &status, __WALL) > 0)
		if (WIFEXITED(status) && WEXITSTATUS(status))
			return WEXITSTATUS(status) == BUSY ? -EAGAIN : 1;
	return pid < 0 ? -errno : 0;
}

int probe_clone_parent(void)
{
	return probe_in_child(try_sibling);
}

int probe_pidfd_store(void)
{
	AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	AUTO_CLOSE int fd = eventfd(0, EFD_CLOEXEC);
	AUTO_CLOSE int copy = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return copy >= 0 ? 1 : probe_failed();
}

int probe_ns_pid(void)
{
	return probe_file_contains("/proc/self/status", "\nNSpid:");
}

static int try_userns(void)
{
	char limit[32];

	if (unshare(CLONE_NEWUSER) == 0)
		return 1;
	if (errno != ENOSPC || file_read_text(AT_FDCWD, "/proc/sys/user/max_user_namespaces", limit, sizeof(limit)) < 0)
		return probe_failed();	      /* EPERM: in a chroot(2), too */
	return atoi(limit) > 0 ? -ENOSPC : 0; /* as many as may be are there; 0: there shall be none */
}

int probe_userns(void)
{
	return probe_in_child(try_userns);
}

static int try_cgroupns(void)
{
	return unshare(CLONE_NEWCGROUP) == 0 ? 1 : probe_failed();
}

int probe_cgroupns(void)
{
	return probe_in_child(try_cgroupns);
}

static int try_timens(void)
{
	if (unshare(CLONE_NEWTIME) < 0)
		return probe_failed();
	return file_write_text(AT_FDCWD, "/proc/self/timens_offsets", "monotonic 1000 0") >= 0;
}

int probe_timens(void)
{
	return probe_in_child(try_timens);
}

/* Only hosts with AppArmor have use for it. */
int probe_apparmor_stacking(void)
{
	if (access("/sys/kernel/security/apparmor", F_OK) < 0)
		return -ENOENT;
	return probe_file_contains("/sys/kernel/security/apparmor/features/domain/stack", "yes");
}
