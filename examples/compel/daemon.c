/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stops a process with all its threads, makes the first one a daemon that works for us, asks each other thread
 * something, and lets them all go on: daemon PID [LOG-LEVEL]. The Makefile builds it.
 */
#include <compel/infect.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon-parasite.h"
#include "daemon.h"

#define THREADS_MAX 1024

struct thread {
	int tid, state;
};

static void print_line(unsigned level, const char *format, va_list args)
{
	vfprintf(stderr, format, args);
}

/* Stops threads until there is none that is not known: a running one may make others meanwhile. Returns how many there
 * are. */
static int stop_all(int pid, struct thread threads[THREADS_MAX])
{
	int n = 0, known = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	threads[n++] = (struct thread){ pid, compel_stop_task(pid) };
	if (threads[0].state < 0)
		return 0;
	while (known != n) {
		DIR *dir = opendir(path);
		struct dirent *entry;

		known = n;
		while (dir && (entry = readdir(dir)) && n < THREADS_MAX) {
			int tid = atoi(entry->d_name), seen = tid <= 0, state;

			for (int i = 0; i < n; i++)
				seen |= threads[i].tid == tid;
			if (seen)
				continue;
			state = compel_stop_task(tid);
			if (state == COMPEL_TASK_ALIVE || state == COMPEL_TASK_STOPPED)
				threads[n++] = (struct thread){ tid, state };
		}
		if (dir)
			closedir(dir);
	}
	return n;
}

static int ask_daemon(struct parasite_ctl *ctl, struct daemon_args *args)
{
	if (compel_rpc_call_sync(CMD_DESCRIBE, ctl) < 0)
		return -1;
	printf("pid %d, session %d, uids %d %d %d, umask %03o\n", args->pid, args->sid, args->uid, args->euid,
	       args->suid, args->umask);
	for (int i = 1; i <= 10; i++) {
		args->operand = i;
		if (compel_rpc_call_sync(CMD_ADD, ctl) < 0)
			return -1;
	}
	printf("1 + ... + 10 = %ld, it says\n", args->sum);
	return 0;
}

static int ask_thread(struct parasite_ctl *ctl, struct daemon_args *args, int tid)
{
	struct parasite_thread_ctl *tctl = compel_prepare_thread(ctl, tid);
	int failed;

	if (!tctl)
		return -1;
	failed = compel_run_in_thread(tctl, CMD_THREAD);
	if (!failed)
		printf("thread %d: alternate signal stack 0x%lx\n", args->tid, args->stack);
	compel_release_thread(tctl);
	return failed;
}

static int infect(int pid, const struct thread *threads, int n)
{
	struct parasite_ctl *ctl = compel_prepare(pid);
	struct daemon_args *args;
	int failed;

	if (!ctl)
		return -1;
	compel_infect_ctx(ctl)->log_fd = STDERR_FILENO;
	daemon_parasite_setup_c_header(ctl);
	failed = compel_infect(ctl, (unsigned long)n, sizeof(*args));
	args = compel_parasite_args(ctl, struct daemon_args);
	if (!failed)
		failed = ask_daemon(ctl, args);
	for (int i = 1; i < n && !failed; i++)
		failed = ask_thread(ctl, args, threads[i].tid);
	return compel_cure(ctl) < 0 ? -1 : failed;
}

int main(int argc, char *argv[])
{
	static struct thread threads[THREADS_MAX];
	int n, failed;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "Usage: %s PID [LOG-LEVEL]\n", argv[0]);
		return 2;
	}
	compel_log_init(print_line, argc == 3 ? (unsigned)atoi(argv[2]) : COMPEL_LOG_WARN);
	n = stop_all(atoi(argv[1]), threads);
	if (!n) {
		fprintf(stderr, "cannot stop %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	failed = infect(atoi(argv[1]), threads, n);
	for (int i = 0; i < n; i++)
		if (compel_resume_task(threads[i].tid, threads[i].state, threads[i].state) < 0)
			failed = -1;
	return failed ? 1 : 0;
}
