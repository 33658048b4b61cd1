// SPDX-License-Identifier: GPL-2.0-only
/* Pre-dumps a process slowly, and prints how far that is; the callback for notifications must hear nothing of it.
 * follow PID FOLDER */
#include <criu/criu.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int notify(char *action, criu_notify_arg_t argument)
{
	printf("told %s\n", action);
	return 0;
}

static void follow(const struct criu_progress *progress)
{
	printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %d\n", progress->what, progress->done, progress->total,
	       progress->rate, progress->end);
}

int main(int argc, char **argv)
{
	if (criu_init_opts() < 0)
		return 1;
	criu_set_service_binary(getenv("CRIU_BINARY"));
	criu_set_pid(atoi(argv[1]));
	criu_set_images_dir_fd(open(argv[2], O_RDONLY | O_DIRECTORY));
	criu_set_log_file("log");
	criu_set_bandwidth(4 << 20);
	criu_set_notify_cb(notify);
	criu_set_progress_cb(follow);
	printf("pre-dump %d\n", criu_pre_dump());
	return 0;
}
