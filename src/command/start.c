/* SPDX-License-Identifier: GPL-2.0-only */
/* What every command needs before it can begin: rights and directories. */
#include "command/start.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "command/version.h"
#include "kern/capability.h"
#include "options/options.h"

void log_who_we_are(void)
{
	struct utsname name;

	uname(&name);
	log_info("criu %s, build %s (%s)", CRIU_VERSION, CRIU_RELEASE, CRIU_COMMIT);
	log_info("Running on %s %s %s %s %s", name.nodename, name.sysname, name.release, name.version, name.machine);
}

const char *missing_rights(const struct options *options)
{
	if (!capability_effective(CAP_SYS_ADMIN) && !capability_effective(CAP_CHECKPOINT_RESTORE))
		return "criu needs the capability CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE: run it as root, "
		       "or give the program one of them by \"setcap cap_checkpoint_restore+eip\"";
	if (geteuid() != 0 && !options->unprivileged)
		return "criu is not run by root: give --unprivileged if it shall do what it can "
		       "with CAP_CHECKPOINT_RESTORE alone";
	return NULL;
}

int check_rights(const struct options *options)
{
	const char *missing = missing_rights(options);

	if (missing)
		log_message("%s\n", missing);
	return missing ? -EPERM : 0;
}

/* Scripts and messages must not get into a stream: what they print goes to stderr, and they read nothing. */
static int take_standard(int fd)
{
	AUTO_CLOSE int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	AUTO_CLOSE int other =
		fd == STDIN_FILENO ? open("/dev/null", O_RDONLY | O_CLOEXEC) : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	if (own < 0)
		return fail_errno("--stream: descriptor %d is not open", fd);
	if (other < 0 || dup2(other, fd) < 0)
		return fail_errno("--stream: descriptor %d cannot be replaced", fd);
	return TAKE_FD(own);
}

int take_stream(struct options *options)
{
	if (options->stream_fd == OPT_STREAM_STANDARD)
		options->stream_fd = options->command & (CMD_DUMP | CMD_PRE_DUMP) ? STDOUT_FILENO : STDIN_FILENO;
	if (options->stream_fd < 0)
		return 0;
	if (isatty(options->stream_fd))
		return refuse(EINVAL, "--stream: descriptor %d is a terminal, not a pipe, socket or file",
			      options->stream_fd);
	if (options->stream_fd <= STDERR_FILENO)
		options->stream_fd = take_standard(options->stream_fd);
	return options->stream_fd < 0 ? options->stream_fd : 0;
}

int open_directories(struct options *options)
{
	const char *work_dir = options->work_dir;

	if (options->command == CMD_SERVICE) /* each request names its own */
		return work_dir && chdir(work_dir) < 0 ? fail_errno("work directory %s cannot be entered", work_dir)
						       : 0;
	options->images_dir_fd = open(options->images_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (options->images_dir_fd < 0)
		return fail_errno("images directory %s cannot be opened", options->images_dir);
	if ((work_dir ? chdir(work_dir) : fchdir(options->images_dir_fd)) < 0)
		return fail_errno("work directory %s cannot be entered", work_dir ?: options->images_dir);
	return 0;
}
