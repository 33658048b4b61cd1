// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves a program to another machine by libcriu, and prints what has become of it, or with an ID what has become of
 * that migration. usage: migrate-by-libcriu CRIU IMAGES PLACE PID [new-pidns|post-copy|fresh|ID]
 */
#include <criu/criu.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int follow(char *action, criu_notify_arg_t arg)
{
	(void)arg;
	printf("told %s\n", action);
	return 0;
}

int main(int argc, char **argv)
{
	struct criu_migration done = { .id = "none" };
	const char *how = argc > 5 ? argv[5] : "";
	int result;

	if (argc < 5 || criu_init_opts() < 0)
		return 2;
	criu_set_service_binary(argv[1]);
	criu_set_images_dir_fd(open(argv[2], O_RDONLY | O_DIRECTORY));
	criu_set_log_level(4);
	criu_set_pid(atoi(argv[4]));
	criu_set_max_rounds(2);
	criu_set_round_size(0);
	criu_set_max_downtime(20);
	criu_set_notify_cb(follow);
	if (!strcmp(how, "new-pidns"))
		criu_set_new_pidns(true);
	if (!strcmp(how, "post-copy") && criu_set_post_copy("always") < 0)
		return 2;
	if (!strcmp(how, "fresh"))
		criu_set_rehearsal(false);
	if (strchr(how, '-') && strlen(how) > 30)
		result = criu_migrate_ask(argv[3], how, &done);
	else
		result = criu_migrate(argv[3], &done);
	printf("result %d id %s pid %d rounds %u bytes %llu us %d stood %d paused %d\n", result, done.id, done.pid,
	       done.rounds, (unsigned long long)done.bytes, done.us > 0,
	       done.stood_us > 0 && done.stood_us<done.us, done.paused_us> 0);
	return 0;
}
