// SPDX-License-Identifier: GPL-2.0-only
/* Takes back what a dump has left, by libcriu, and prints what was found. usage: undo-by-libcriu CRIU IMAGES PID */
#include <criu/criu.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static void print_one(const char *what, bool done, void *arg)
{
	fprintf(arg, "%s: %s\n", done ? "done" : "left", what);
}

int main(int argc, char **argv)
{
	if (argc != 4 || criu_init_opts() < 0)
		return 2;
	criu_set_service_binary(argv[1]);
	criu_set_images_dir_fd(open(argv[2], O_RDONLY | O_DIRECTORY));
	criu_set_pid(atoi(argv[3]));
	printf("result %d\n", criu_undo(print_one, stdout));
	return 0;
}
