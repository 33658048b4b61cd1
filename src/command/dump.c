/* SPDX-License-Identifier: GPL-2.0-only */
/* criu dump and criu restore. */
#include "command/command.h"

#include <signal.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/log.h"
#include "flow/dump.h"
#include "flow/dump/pre-dump.h"
#include "flow/restore.h"

int command_dump(const struct options *options)
{
	int result = dump_run(options, NULL);

	return result == -ECANCELED ? 255 : result < 0 ? 1 : 0;
}

int command_pre_dump(const struct options *options)
{
	return pre_dump(options, NULL, NULL) < 0 ? 1 : 0;
}

/* The command takes our place: the restored root is its child, as if it had started it. */
static int exec_command(char **argv)
{
	log_info("Executing %s", argv[0]);
	log_close();
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	execvp(argv[0], argv);
	fail_errno("--exec-cmd: %s cannot be executed; the restored tasks run on without it", argv[0]);
	return 1;
}

int command_restore(const struct options *options)
{
	struct restored restored;

	if (restore_run(options, NULL, &restored) < 0)
		return 1;
	return options->exec_cmd ? exec_command(options->exec_argv) : 0;
}
