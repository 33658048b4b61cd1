// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a command and measures it: prints "MICROSECONDS PEAK-KB CPU-MICROSECONDS STATUS" to the file given. The CPU time
 * is that of the command and of its children that it has waited for.
 * usage: timed RESULT CMD...
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	struct timespec start, end;
	struct rusage usage;
	int status, fd;
	pid_t pid;

	if (argc < 3)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (posix_spawn(&pid, argv[2], NULL, NULL, argv + 2, environ))
		return 127;
	if (wait4(pid, &status, 0, &usage) != pid)
		return 126;
	clock_gettime(CLOCK_MONOTONIC, &end);
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return 125;
	dprintf(fd, "%ld %ld %ld %d\n", (end.tv_sec - start.tv_sec) * 1000000 + (end.tv_nsec - start.tv_nsec) / 1000,
		usage.ru_maxrss,
		(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
			usage.ru_stime.tv_usec,
		status);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}
