/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes another process make a system call: syscall PID NUMBER [ARGUMENT...]. Built against what is installed:
 *
 *	cc -o syscall syscall.c $(pkg-config --cflags --libs compel) && sudo ./syscall PID 95 022	# umask(2)
 */
#include <compel/infect.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_line(unsigned level, const char *format, va_list args)
{
	vfprintf(stderr, format, args);
}

/* The process stands; returns 0 when the call was made. */
static int inject(int pid, int nr, const unsigned long args[6])
{
	struct parasite_ctl *ctl = compel_prepare(pid);
	long result = 0;
	int failed;

	if (!ctl)
		return -1;
	failed = compel_syscall(ctl, nr, &result, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (!failed && result < 0 && result >= -4095)
		printf("system call %d: %s\n", nr, strerror((int)-result));
	else if (!failed)
		printf("system call %d: %ld (0x%lx)\n", nr, result, (unsigned long)result);
	return compel_cure(ctl) < 0 ? -1 : failed;
}

int main(int argc, char *argv[])
{
	unsigned long args[6] = { 0 };
	int pid, state, failed;

	if (argc < 3 || argc > 9) {
		fprintf(stderr, "Usage: %s PID NUMBER [ARGUMENT...]\n", argv[0]);
		return 2;
	}
	for (int i = 3; i < argc; i++)
		args[i - 3] = strtoul(argv[i], NULL, 0);
	compel_log_init(print_line, COMPEL_LOG_WARN);
	pid = atoi(argv[1]);
	state = compel_stop_task(pid);
	if (state < 0) {
		fprintf(stderr, "cannot stop %d: %s\n", pid, strerror(errno));
		return 1;
	}
	failed = inject(pid, atoi(argv[2]), args);
	if (compel_resume_task(pid, state, state) < 0)
		failed = -1;
	return failed ? 1 : 0;
}
