/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dumps itself by libcriu, with an own criu or a service, and goes on when somebody restores it:
 *
 *	cc -o self self.c $(pkg-config --cflags --libs criu)
 *	sudo setsid ./self /tmp/images /tmp/said
 *	sudo criu restore -D /tmp/images
 */
#include <criu/criu.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int images = argc == 3 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	FILE *said = argc == 3 ? fopen(argv[2], "w") : NULL;
	int result;

	if (images < 0 || !said) {
		fprintf(stderr, "usage: %s IMAGES FILE\n", argv[0]);
		return 1;
	}
	setvbuf(said, NULL, _IOLBF, 0);
	fprintf(said, "before\n");
	criu_init_opts();
	if (getenv("CRIU_BINARY"))
		criu_set_service_binary(getenv("CRIU_BINARY"));
	if (getenv("CRIU_ADDRESS"))
		criu_set_service_address(getenv("CRIU_ADDRESS"));
	criu_set_images_dir_fd(images);
	criu_set_log_level(CRIU_LOG_DEBUG);
	criu_set_log_file("dump.log");
	result = criu_dump(); /* ends twice: 0 if we were left running, 1 in the restored process */
	fprintf(said, "%s %d\n", result == 1 ? "restored" : "result", result);
	return result == 1 ? 0 : 1;
}
