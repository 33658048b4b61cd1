// SPDX-License-Identifier: GPL-2.0-only
/* Dumps a process by criu_dump_iters(): two pre-dumps, then the dump, each into a folder of its own. iterations PID
 * FOLDER */
#include <criu/criu.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int folder, rounds, last = -1;

static int notify(char *action, criu_notify_arg_t argument)
{
	printf("told %s\n", action);
	return 0;
}

static int more(criu_predump_info info)
{
	char name[16], parent[16];

	snprintf(parent, sizeof(parent), "../%d", rounds);
	snprintf(name, sizeof(name), "%d", ++rounds);
	printf("round %d, %s\n", rounds, info ? "an argument" : "no argument");
	if (last >= 0)
		close(last);
	last = openat(folder, name, O_RDONLY | O_DIRECTORY);
	criu_set_images_dir_fd(last);
	if (rounds > 1)
		criu_set_parent_images(parent);
	return rounds < 3;
}

static int fail(criu_predump_info info)
{
	return -77;
}

int main(int argc, char **argv)
{
	folder = open(argv[2], O_RDONLY | O_DIRECTORY);
	if (criu_init_opts() < 0)
		return 1;
	criu_set_service_binary(getenv("CRIU_BINARY"));
	criu_set_pid(atoi(argv[1]));
	criu_set_log_file("log");
	criu_set_log_level(4);
	criu_set_track_mem(true);
	criu_set_notify_cb(notify);
	printf("failed: %d\n", criu_dump_iters(fail));
	printf("dumped: %d\n", criu_dump_iters(more));
	return 0;
}
