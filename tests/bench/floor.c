// SPDX-License-Identifier: GPL-2.0-only
/*
 * The floors of make bench: the plain system calls that no checkpointer can do without, with nothing around them.
 * usage: floor KIND N FOLDER; prints "DUMP-MICROSECONDS RESTORE-MICROSECONDS"
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define WORKERS 2
#define CHUNK	(512 << 10) /* stays in the cache */
#define COPY	(2 << 20)

/* What the loaded child tells the measuring parent. */
struct shared {
	uint8_t *memory;
	atomic_int ready;
};

struct job {
	pid_t pid;
	uint8_t *memory; /* there, or here for a restore */
	const uint8_t *image;
	size_t size, step; /* bytes of the area; one page of every step has content */
	size_t chunk;	   /* bytes of the area handed out at a time */
	int fd, uffd;
	atomic_size_t next;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Bytes of content in this much of the area. */
static size_t packed(const struct job *job, size_t bytes)
{
	return bytes / (job->step / 4096);
}

static void *save(void *arg)
{
	struct job *job = arg;
	uint8_t *buffer = aligned_alloc(4096, CHUNK);
	struct iovec local, remote[CHUNK / 4096];
	size_t at;

	while ((at = atomic_fetch_add(&job->next, job->chunk)) < job->size) {
		size_t n = 0, bytes = packed(job, job->chunk);

		if (job->step == 4096)
			remote[n++] = (struct iovec){ job->memory + at, job->chunk };
		else
			for (size_t page = 0; page < job->chunk; page += job->step)
				remote[n++] = (struct iovec){ job->memory + at + page, 4096 };
		local = (struct iovec){ buffer, bytes };
		if (process_vm_readv(job->pid, &local, 1, remote, n, 0) != (ssize_t)bytes)
			die("process_vm_readv");
		if (pwrite(job->fd, buffer, bytes, (off_t)packed(job, at)) != (ssize_t)bytes)
			die("pwrite");
	}
	free(buffer);
	return NULL;
}

static void *place(void *arg)
{
	struct job *job = arg;
	size_t at;

	while ((at = atomic_fetch_add(&job->next, job->chunk)) < job->size) {
		size_t length = job->step == 4096 ? job->chunk : 4096;

		for (size_t page = 0; page < job->chunk; page += job->step == 4096 ? job->chunk : job->step) {
			struct uffdio_copy copy = { .dst = (uintptr_t)job->memory + at + page,
						    .src = (uintptr_t)job->image + packed(job, at + page),
						    .len = length };

			if (ioctl(job->uffd, UFFDIO_COPY, &copy) < 0)
				die("UFFDIO_COPY");
		}
	}
	return NULL;
}

static void in_parallel(void *(*work)(void *arg), struct job *job)
{
	pthread_t threads[WORKERS];

	for (int i = 0; i < WORKERS; i++)
		if (pthread_create(&threads[i], NULL, work, job))
			die("pthread_create");
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
}

/* Every thread of every process below /proc/PID: stopped, asked, and let go. */
static void stop_and_ask(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while ((entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);
		struct user_regs_struct registers;
		uint8_t state[16384];
		struct iovec general = { &registers, sizeof(registers) }, extended = { state, sizeof(state) };
		uint64_t mask;

		if (!tid)
			continue;
		if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
			die("PTRACE_SEIZE");
		waitpid(tid, NULL, __WALL);
		ptrace(PTRACE_GETREGSET, tid, 1 /* NT_PRSTATUS */, &general);
		ptrace(PTRACE_GETREGSET, tid, 0x202 /* NT_X86_XSTATE */, &extended);
		ptrace(PTRACE_GETSIGMASK, tid, 8, &mask);
		ptrace(PTRACE_DETACH, tid, 0, 0);
	}
	closedir(dir);
}

static void read_file(pid_t pid, const char *name)
{
	static char buffer[1 << 16];
	char path[320];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
}

/* What a dump must know of every process: its state, its areas. */
static void look_at(pid_t pid)
{
	stop_and_ask(pid);
	read_file(pid, "status");
	read_file(pid, "stat");
	read_file(pid, "smaps");
}

/* What it must know of every descriptor. */
static void look_at_descriptors(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	char path[300], link[300];
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while ((entry = readdir(dir))) {
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(entry->d_name), 0);
		if (fd < 0 || fstat(fd, &st) < 0 || readlinkat(dirfd(dir), entry->d_name, link, sizeof(link)) < 0)
			die("pidfd_getfd");
		close(fd);
		snprintf(path, sizeof(path), "fdinfo/%s", entry->d_name);
		read_file(pid, path);
	}
	closedir(dir);
	close(pidfd);
}

static void look_at_children(pid_t pid)
{
	char path[64], text[1 << 14], *next = text;
	ssize_t n;
	int fd;

	look_at(pid);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n < 0 ? 0 : n] = 0;
	for (long child; (child = strtol(next, &next, 10)) > 0;)
		look_at((pid_t)child);
}

static int open_uffd(void *memory, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .range = { (uintptr_t)memory, size }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) < 0 || ioctl(uffd, UFFDIO_REGISTER, &area) < 0)
		die("userfaultfd");
	return uffd;
}

static void measure_memory(pid_t pid, struct job *job, const char *folder, long *ret_dump, long *ret_restore)
{
	char path[300];
	long start;

	snprintf(path, sizeof(path), "%s/pages", folder);
	job->fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (job->fd < 0)
		die(path);
	start = now();
	look_at(pid);
	in_parallel(save, job);
	*ret_dump = now() - start;

	start = now();
	job->image = mmap(NULL, packed(job, job->size), PROT_READ, MAP_SHARED, job->fd, 0);
	job->memory = mmap(NULL, job->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (job->image == MAP_FAILED || job->memory == MAP_FAILED)
		die("mmap");
	job->uffd = open_uffd(job->memory, job->size);
	job->next = 0;
	job->chunk = COPY;
	in_parallel(place, job);
	close(job->uffd);
	*ret_restore = now() - start;
	unlink(path);
}

/* What a restore must do at least for such a load: the calls that make it, timed in a fresh process. */
static long time_making(const char *kind, unsigned n)
{
	int result[2];
	long taken = -1, start = now();
	pid_t pid;

	if (pipe(result) < 0)
		die("pipe");
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		if (!strcmp(kind, "areas"))
			load_areas(n);
		else if (!strcmp(kind, "threads"))
			load_threads(n);
		else if (!strcmp(kind, "processes"))
			load_processes(n);
		else if (!strcmp(kind, "descriptors"))
			load_descriptors(n);
		else if (!strcmp(kind, "mixed"))
			load_mixed(n);
		else if (!strcmp(kind, "pairs"))
			load_pairs(n);
		else if (!strcmp(kind, "connections"))
			load_connections(n);
		taken = now() - start;
		if (write(result[1], &taken, sizeof(taken)) < 0)
			_exit(1);
		pause();
	}
	setpgid(pid, pid);
	if (read(result[0], &taken, sizeof(taken)) != sizeof(taken))
		die("reading the time");
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return taken;
}

static pid_t start_load(const char *kind, size_t n, struct shared *shared)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		if (!strcmp(kind, "memory") || !strcmp(kind, "changing"))
			shared->memory = load_memory(n << 20, 4096);
		else if (!strcmp(kind, "fragmented"))
			shared->memory = load_memory(n << 20, 8192);
		else if (!strcmp(kind, "areas"))
			load_areas((unsigned)n);
		else if (!strcmp(kind, "threads"))
			load_threads((unsigned)n);
		else if (!strcmp(kind, "processes"))
			load_processes((unsigned)n);
		else if (!strcmp(kind, "descriptors"))
			load_descriptors((unsigned)n);
		else if (!strcmp(kind, "mixed"))
			load_mixed(n);
		else if (!strcmp(kind, "mixed"))
			load_mixed((unsigned)n);
		else if (!strcmp(kind, "pairs"))
			load_pairs((unsigned)n);
		else if (!strcmp(kind, "connections"))
			load_connections((unsigned)n);
		shared->ready = 1;
		for (;;)
			pause();
	}
	while (!shared->ready) {
		if (waitpid(pid, NULL, WNOHANG))
			exit(1);
		usleep(100);
	}
	return pid;
}

int main(int argc, char **argv)
{
	struct shared *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long dump, restore, start;
	size_t n;
	pid_t pid;

	if (argc != 4)
		return 2;
	n = strtoul(argv[2], NULL, 10);
	pid = start_load(argv[1], n, shared);
	if (shared->memory) {
		struct job job = { .pid = pid,
				   .memory = shared->memory,
				   .size = n << 20,
				   .chunk = CHUNK,
				   .step = !strcmp(argv[1], "fragmented") ? 8192 : 4096 };

		measure_memory(pid, &job, argv[3], &dump, &restore);
	} else {
		start = now();
		look_at_children(pid);
		if (!strcmp(argv[1], "descriptors") || !strcmp(argv[1], "mixed") || !strcmp(argv[1], "pairs") ||
		    !strcmp(argv[1], "connections"))
			look_at_descriptors(pid);
		dump = now() - start;
		restore = time_making(argv[1], (unsigned)n);
	}
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("%ld %ld\n", dump, restore);
	return 0;
}
