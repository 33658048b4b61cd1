/* SPDX-License-Identifier: GPL-2.0-only */
/* What every command needs before it can begin: rights and directories. */
#include "command/command.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

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

int open_directories(struct options *options)
{
	const char *work_dir = options->work_dir;

	if (options->command == CMD_SERVICE) /* each request names its own */
		return work_dir && chdir(work_dir) < 0 ? fail_errno("work directory %s can't be entered", work_dir) : 0;
	options->images_dir_fd = open(options->images_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (options->images_dir_fd < 0)
		return fail_errno("images directory %s can't be opened", options->images_dir);
	if ((work_dir ? chdir(work_dir) : fchdir(options->images_dir_fd)) < 0)
		return fail_errno("work directory %s can't be entered", work_dir ?: options->images_dir);
	return 0;
}
