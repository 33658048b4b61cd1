// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that uses a GPU, with a thread that plays the driver's part: it does what tests/plugins/libcuda.c asks for.
 * usage: cuda-user FOLDER LIBRARY [deaf]. Counts in FOLDER/PID.count as long as the GPU is not locked.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *folder;
static int is_deaf, device = -1;
static atomic_int locked, at_work;

static void write_word(const char *name, const char *word)
{
	char path[512], new[520];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%d.%s", folder, getpid(), name);
	snprintf(new, sizeof(new), "%s.part", path);
	file = fopen(new, "w");
	fputs(word, file);
	fclose(file);
	rename(new, path);
}

static int take_command(char *to, size_t capacity)
{
	char path[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%d.command", folder, getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, to, capacity - 1);
	close(fd);
	unlink(path);
	to[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static void obey(const char *command)
{
	if (!strcmp(command, "lock")) {
		locked = 1;
		while (at_work)
			;
		write_word("state", "locked");
	} else if (!strcmp(command, "checkpoint")) {
		close(device);
		device = -1;
		write_word("state", "checkpointed");
	} else if (!strcmp(command, "restore")) {
		device = open("/dev/nvidia0", O_RDWR);
		write_word("state", "locked");
	} else {
		write_word("state", "running");
		locked = 0;
	}
	write_word("done", command);
}

static void *drive(void *arg)
{
	const struct timespec moment = { 0, 2000000 };
	char command[64], number[16];

	(void)arg;
	snprintf(number, sizeof(number), "%d", (int)syscall(SYS_gettid));
	write_word("state", "running");
	write_word("thread", number);
	for (;;) {
		if (!is_deaf && take_command(command, sizeof(command)))
			obey(command);
		nanosleep(&moment, NULL);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct timespec moment = { 0, 2000000 };
	pthread_t thread;
	char number[32];

	if (argc < 3 || !dlopen(argv[2], RTLD_NOW))
		return 2;
	folder = argv[1];
	is_deaf = argc > 3;
	device = open("/dev/nvidia0", O_RDWR);
	if (device < 0 || pthread_create(&thread, NULL, drive, NULL) != 0)
		return 1;
	for (unsigned long n = 0;; n++) {
		at_work = 1;
		if (!locked) {
			snprintf(number, sizeof(number), "%lu %d", n, write(device, "work", 4) == 4);
			write_word("count", number);
		}
		at_work = 0;
		nanosleep(&moment, NULL);
	}
}
