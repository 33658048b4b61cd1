/* SPDX-License-Identifier: GPL-2.0-only */
/* A job at a terminal whose master is ours: dumped without it, restored by libcriu, which gives us the master of the
 * new one. */
#include <criu/criu.h>

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int master = -1;

static int take(char *action, criu_notify_arg_t na)
{
	(void)na;
	if (!strcmp(action, "orphan-pts-master"))
		master = criu_get_orphan_pts_master_fd();
	return 0;
}

static void prepare(int images, const char *log)
{
	criu_init_opts();
	criu_set_service_binary(getenv("CRIU_BINARY"));
	criu_set_images_dir_fd(images);
	criu_set_log_level(CRIU_LOG_DEBUG);
	criu_set_log_file(log);
	criu_set_orphan_pts_master(true);
	criu_set_notify_cb(take);
}

/* The job answers each line by one with an exclamation mark. */
static int talk(int fd)
{
	char text[256];
	size_t n = 0;

	if (write(fd, "hello\n", 6) != 6)
		return -1;
	while (n < sizeof(text) - 1) {
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);

		if (got <= 0)
			return -1;
		n += (size_t)got;
		text[n] = '\0';
		if (strstr(text, "hello!"))
			return 0;
	}
	return -1;
}

int main(int argc, char **argv)
{
	int images = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, fd, status, result;
	char line[64];
	pid_t job = forkpty(&fd, NULL, NULL, NULL);

	if (job == 0) {
		close(images);
		while (fgets(line, sizeof(line), stdin)) {
			line[strcspn(line, "\n")] = '\0';
			printf("%s!\n", line);
			fflush(stdout);
		}
		_exit(0);
	}
	printf("before: %d, no master: %d\n", talk(fd), criu_get_orphan_pts_master_fd());
	prepare(images, "dump.log");
	criu_set_pid(job);
	printf("dump: %d\n", criu_dump());
	waitpid(job, &status, 0);
	close(fd);
	prepare(images, "restore.log");
	result = criu_restore_child();
	printf("restore: %d, master: %d, after: %d\n", result == job, master > 2, talk(master));
	close(master); /* hangs up */
	waitpid(job, &status, 0);
	printf("signal: %d\n", WTERMSIG(status));
	return 0;
}
