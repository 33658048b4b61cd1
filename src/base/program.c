/* SPDX-License-Identifier: LGPL-2.1-only */
/* posix_spawn(3) keeps fork handlers and locks of our threads out of other programs. */
#include "base/program.h"

#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"

extern char **environ;

int program_run(const char *const *argv, int input, int output)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int error, status;

	posix_spawn_file_actions_init(&actions);
	if (input >= 0)
		posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (output >= 0)
		posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	error = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		return -error;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	/* 127: a C library that notices only in the child that the program is not there. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOENT;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

int program_feed(const char *const *argv, const char *text)
{
	AUTO_CLOSE int input = memfd_create("input", MFD_CLOEXEC);
	int error;

	if (input < 0)
		return fail_errno("making a memory file");
	error = io_write(input, text, strlen(text));
	if (error < 0 || lseek(input, 0, SEEK_SET) < 0)
		return fail(error < 0 ? -error : errno, "writing the input of %s", argv[0]);
	return program_run(argv, input, -1);
}
