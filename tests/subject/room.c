// SPDX-License-Identifier: GPL-2.0-only
/*
 * A room of its own for every test case: pid, mount, IPC and network namespace with a fresh /proc and a first process
 * that reaps at once, so that pids are the same in every run and nothing collides with the machine or with another
 * case.
 *
 *   room open LOG [PROPAGATION]
 *                              makes a room; prints the pid of its first process; closes it when standard input ends;
 *                              LOG gets a line "PID STATUS" for every process that the first process reaps. PROPAGATION
 * is that of all its mounts: private, shared (as systemd makes them), slave (of a namespace that nothing else is in)
 *   room run INIT CMD...       runs a command in the room, with its exit status
 *   room start INIT OUT HOUSE CMD...
 *                              starts a command as a session of its own, an orphan, its output in the file OUT; prints
 * its pid. HOUSE names namespaces of its own, within the room: "pid,uts", "-" for none; with pid it is the first
 * process
 */
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET)

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "room: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		die("raising lo");
	close(fd);
}

/* What other cases have mounted in their folders, and containers of the machine, came here with the copy of the
 * namespace, and may be gone at any time.
 */
static void leave_others(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *entry;

	if (!mounts)
		die("/proc/self/mounts");
	while ((entry = getmntent(mounts)))
		if (strstr(entry->mnt_dir, "/criu-test-") || strstr(entry->mnt_dir, "/netns/") ||
		    strstr(entry->mnt_dir, "/containers/"))
			(void)umount2(entry->mnt_dir, MNT_DETACH); /* with what is mounted below */
	endmntent(mounts);
}

static void propagate(unsigned long type)
{
	if (mount(NULL, "/", NULL, MS_REC | type, NULL) < 0)
		die("changing the propagation of mounts");
}

/* The first process: reaps whatever ends, for ever. */
static void be_first(int log, int ready, const char *propagation)
{
	bool slave = !strcmp(propagation, "slave");
	sigset_t children;

	propagate(MS_PRIVATE);
	leave_others();
	/* The masters stay with our parent. */
	if (slave)
		propagate(MS_SHARED);
	if (slave && unshare(CLONE_NEWNS) < 0)
		die("unshare");
	if (slave)
		propagate(MS_SLAVE);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		die("mounting /proc");
	/* Ptys of its own: their numbers would be those of others, too. */
	if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5") <
		    0 ||
	    mount("/dev/pts/ptmx", "/dev/ptmx", NULL, MS_BIND, NULL) < 0)
		die("mounting /dev/pts");
	if (!strcmp(propagation, "shared"))
		propagate(MS_SHARED);
	raise_loopback();
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	prctl(PR_SET_NAME, "first");
	if (write(ready, "", 1) != 1 || close(ready) < 0)
		die("announcing the room");
	for (;;) {
		int status, signal;
		pid_t pid;

		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			dprintf(log, "%d %d\n", pid, status);
		sigwait(&children, &signal);
	}
}

static int open_room(const char *log_path, const char *propagation)
{
	int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	int ready[2];
	pid_t first;
	char c;

	if (log < 0)
		die(log_path);
	if (pipe2(ready, O_CLOEXEC) < 0)
		die("pipe");
	if (unshare(NAMESPACES) < 0)
		die("unshare (root is needed)");
	first = fork();
	if (first < 0)
		die("fork");
	if (first == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(0);
		if (setsid() < 0)
			die("setsid");
		close(ready[0]);
		be_first(log, ready[1], propagation);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		return 125;
	printf("%d\n", first);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
	return 0;
}

static void enter_room(const char *first)
{
	int pidfd = (int)syscall(SYS_pidfd_open, atoi(first), 0);

	if (pidfd < 0 || setns(pidfd, NAMESPACES) < 0)
		die("entering the room");
	close(pidfd);
}

static int run(const char *first, char **argv)
{
	int status;
	pid_t pid;
	char cwd[512];

	if (!getcwd(cwd, sizeof(cwd)))
		die("getcwd");
	enter_room(first);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chdir(cwd) < 0)
			die(cwd);
		execvp(argv[0], argv);
		die(argv[0]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("running");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A subject starts as from a fresh login, whatever the caller of the tests ignores or blocks: nohup, a job in the
 * background, CI. */
static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static const struct {
	const char *name;
	int flag;
} kinds[] = {
	{ "pid", CLONE_NEWPID },       { "uts", CLONE_NEWUTS }, { "ipc", CLONE_NEWIPC },   { "net", CLONE_NEWNET },
	{ "cgroup", CLONE_NEWCGROUP }, { "mnt", CLONE_NEWNS },	{ "user", CLONE_NEWUSER },
};

static int flags_of(const char *house)
{
	char text[64], *rest = text, *word;
	int flags = 0;

	snprintf(text, sizeof(text), "%s", house);
	while ((word = strsep(&rest, ","))) {
		size_t i = 0;

		if (!strcmp(word, "-"))
			continue;
		while (i < sizeof(kinds) / sizeof(*kinds) && strcmp(kinds[i].name, word) != 0)
			i++;
		if (i == sizeof(kinds) / sizeof(*kinds)) {
			fprintf(stderr, "room: no namespace is called %s\n", word);
			exit(125);
		}
		flags |= kinds[i].flag;
	}
	return flags;
}

/* Several ranges, so that nothing is right by chance; the last one lets the subject see files of root. */
#define MAP "0 200000 1000\n1000 301000 64536\n65536 0 1\n"

static void write_file(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, MAP, strlen(MAP)) != (ssize_t)strlen(MAP))
		die(path);
	close(fd);
}

/* Its maps can be written from outside only. */
static void enter_user_namespace(void)
{
	pid_t self = getpid(), helper;
	int ready[2], status;
	char c;

	if (pipe2(ready, O_CLOEXEC) < 0)
		die("pipe");
	helper = fork();
	if (helper == 0) {
		close(ready[1]);
		if (read(ready[0], &c, 1) != 1)
			_exit(1);
		write_file(self, "uid_map");
		write_file(self, "gid_map");
		_exit(0);
	}
	if (helper < 0 || unshare(CLONE_NEWUSER) < 0 || write(ready[1], "", 1) != 1 ||
	    waitpid(helper, &status, 0) != helper || status)
		die("making a user namespace");
	close(ready[0]);
	close(ready[1]);
	if (syscall(SYS_setgroups, 0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 1) < 0)
		die("becoming root of the user namespace");
}

/* In the intermediate process: its child becomes an orphan, and so a child of the room's first process. */
static void start_orphan(const char *cwd, const char *output, const char *house, char **argv)
{
	int flags = flags_of(house);
	pid_t pid;

	if (flags & CLONE_NEWUSER)
		enter_user_namespace();
	if (unshare(flags & ~CLONE_NEWUSER) < 0)
		die(house);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid > 0) {
		printf("%d\n", pid);
		fflush(stdout);
		_exit(0);
	}
	if (flags & CLONE_NEWNET)
		raise_loopback();
	if (flags & CLONE_NEWNS && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("making mounts private");
	if (flags & CLONE_NEWNS && flags & CLONE_NEWPID &&
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		die("mounting /proc");
	if (setsid() < 0 || chdir(cwd) < 0)
		die(cwd);
	if (dup2(open("/dev/null", O_RDWR), 0) != 0 ||
	    dup2(open(output, O_WRONLY | O_CREAT | O_APPEND, 0666), 1) != 1 || dup2(1, 2) != 2)
		die(output);
	closefrom(3);
	reset_signals();
	execvp(argv[0], argv);
	die(argv[0]);
}

static int start(const char *first, const char *output, const char *house, char **argv)
{
	char cwd[512];
	int status;
	pid_t pid;

	if (!getcwd(cwd, sizeof(cwd)))
		die("getcwd");
	enter_room(first);
	pid = fork();
	if (pid == 0)
		start_orphan(cwd, output, house, argv);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		die("starting");
	return status ? 125 : 0;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && !strcmp(argv[1], "open"))
		return open_room(argv[2], argc > 3 ? argv[3] : "private");
	if (argc > 3 && !strcmp(argv[1], "run"))
		return run(argv[2], argv + 3);
	if (argc > 5 && !strcmp(argv[1], "start"))
		return start(argv[2], argv[3], argv[4], argv + 5);
	fprintf(stderr, "usage: room open LOG [PROPAGATION] | run INIT CMD... | start INIT OUTPUT HOUSE CMD...\n");
	return 125;
}
