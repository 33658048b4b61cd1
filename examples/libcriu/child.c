/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dumps a child of this program and restores it, by libcriu. Build it against what is installed:
 *
 *	cc -o child child.c $(pkg-config --cflags --libs criu) && sudo ./child /tmp/images
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

static int say(char *action, criu_notify_arg_t na)
{
	printf("notified: %s %d\n", action, criu_notify_pid(na));
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

/* Ends with 42 when it is told to. */
static void live(void)
{
	int null = open("/dev/null", O_RDWR), sig;
	sigset_t go;

	sigemptyset(&go);
	sigaddset(&go, SIGUSR1);
	sigprocmask(SIG_BLOCK, &go, NULL);
	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	closefrom(3);
	sigwait(&go, &sig);
	_exit(42);
}

static int failed(const char *what, int result)
{
	fprintf(stderr, "%s: %d, errno %d (%s)\n", what, result, errno, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	int images = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1, status, result;
	struct criu_feature_check features = { .pidfd_store = true };
	pid_t child;

	if (images < 0) {
		fprintf(stderr, "usage: %s IMAGES\n", argv[0]);
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	child = fork();
	if (child == 0)
		live();
	usleep(200000);

	prepare(images, "dump.log");
	printf("version %d, new enough: %d\n", criu_get_version(), criu_check_version(31500));
	result = criu_feature_check(&features, sizeof(features));
	if (result < 0)
		return failed("features", result);
	printf("pidfd_store %d mem_track %d\n", features.pidfd_store, features.mem_track);
	criu_set_pid(child);
	result = criu_dump();
	if (result < 0)
		return failed("dump", result);
	waitpid(child, &status, 0);
	printf("dumped, it ended by signal %d\n", WTERMSIG(status));

	prepare(images, "restore.log");
	result = criu_restore_child();
	if (result <= 0)
		return failed("restore", result);
	printf("restored: the same pid: %d\n", result == child);
	kill(result, SIGUSR1);
	if (waitpid(result, &status, 0) != result)
		return failed("wait", -1);
	printf("it ended with %d\n", WEXITSTATUS(status));

	criu_set_pid(getpid() + 100000000);
	result = criu_dump();
	printf("nobody: %d, errno %d\n", result, errno);
	criu_free_opts();
	return 0;
}
