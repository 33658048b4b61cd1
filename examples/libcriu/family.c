/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program with two children that is dumped by itself and restored by its parent, with notifications. Build it against
 * what is installed:
 *
 *	cc -o family family.c $(pkg-config --cflags --libs criu) && sudo ./family /tmp/images /tmp/said
 *
 * An ordinary user asks a service of root, which "criu service --address /run/criu.socket" is:
 *
 *	CRIU_ADDRESS=/run/criu.socket ./family ~/images ~/said
 */
#include <criu/criu.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 2

static FILE *said;

static int say(char *action, criu_notify_arg_t na)
{
	fprintf(said, "%s%s\n", action, criu_notify_pid(na) ? " with a pid" : "");
	return 0;
}

static void prepare(int images, const char *log)
{
	if (criu_init_opts() < 0)
		exit(1);
	if (getenv("CRIU_BINARY"))
		criu_set_service_binary(getenv("CRIU_BINARY"));
	if (getenv("CRIU_ADDRESS"))
		criu_set_service_address(getenv("CRIU_ADDRESS"));
	criu_set_images_dir_fd(images);
	criu_set_log_level(CRIU_LOG_DEBUG);
	criu_set_log_file(log);
	criu_set_notify_cb(say);
}

/* Adds its number to each that it is sent, until the pipe ends. */
static void serve(int number, int in, int out)
{
	char byte;

	while (read(in, &byte, 1) == 1) {
		byte += number;
		if (write(out, &byte, 1) != 1)
			break;
	}
	_exit(number);
}

/* The children make a chain: what is written to the first comes out of the last. */
static int chain[CHILDREN + 1][2];

static void make_children(void)
{
	for (int i = 0; i <= CHILDREN; i++)
		if (pipe(chain[i]) < 0)
			exit(1);
	for (int i = 0; i < CHILDREN; i++) {
		if (fork())
			continue;
		for (int k = 0; k <= CHILDREN; k++) {
			if (k != i)
				close(chain[k][0]);
			if (k != i + 1)
				close(chain[k][1]);
		}
		serve(i + 1, chain[i][0], chain[i + 1][1]);
	}
	for (int k = 0; k <= CHILDREN; k++) {
		if (k != CHILDREN)
			close(chain[k][0]);
		if (k != 0)
			close(chain[k][1]);
	}
}

static int ask_children(void)
{
	char byte = 0;

	if (write(chain[0][1], &byte, 1) != 1 || read(chain[CHILDREN][0], &byte, 1) != 1)
		return -1;
	return byte;
}

/* Dumps itself, and is told how that ended twice: here if it goes on, and in the restored process. */
static int live(int images)
{
	int result, status, sum = 0;

	setsid();
	make_children();
	fprintf(said, "children say %d\n", ask_children());
	prepare(images, "dump.log");
	result = criu_dump();
	if (result != 1) {
		fprintf(said, "dump: %d, errno %d (%s)\n", result, errno, strerror(errno));
		return 1;
	}
	fprintf(said, "restored, children say %d\n", ask_children());
	close(chain[0][1]);
	while (wait(&status) > 0)
		sum += WEXITSTATUS(status);
	fprintf(said, "children ended with %d\n", sum);
	return 42;
}

static int restore(int images, pid_t before)
{
	bool own = !getenv("CRIU_ADDRESS");
	int result, status;

	prepare(images, "restore.log");
	result = own ? criu_restore_child() : criu_restore();
	if (result != before) {
		fprintf(said, "restore: %d, errno %d (%s)\n", result, errno, strerror(errno));
		return 1;
	}
	if (own) {
		waitpid(result, &status, 0);
		fprintf(said, "it ended with %d\n", WEXITSTATUS(status));
	} else { /* not our child */
		while (kill(result, 0) == 0)
			usleep(1000);
		fprintf(said, "it ended\n");
	}
	criu_free_opts();
	return 0;
}

int main(int argc, char **argv)
{
	int images = argc == 3 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, status;
	int null = open("/dev/null", O_RDWR);
	pid_t child;

	said = argc == 3 ? fopen(argv[2], "ae") : NULL;
	if (images < 0 || !said) {
		fprintf(stderr, "usage: %s IMAGES FILE\n", argv[0]);
		return 1;
	}
	setvbuf(said, NULL, _IOLBF, 0);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	child = fork();
	if (child == 0)
		exit(live(images));
	waitpid(child, &status, 0);
	if (!WIFSIGNALED(status))
		return 1;
	fprintf(said, "dumped, it ended by signal %d\n", WTERMSIG(status));
	return restore(images, child);
}
