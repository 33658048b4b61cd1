// SPDX-License-Identifier: GPL-2.0-only
/* What make bench checkpoints: one program, as large in one respect as its arguments say. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "load.h"

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint8_t *map_and_write(size_t size, size_t step, int flags, bool small)
{
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	if (small)
		(void)madvise(memory, size, MADV_NOHUGEPAGE); /* a kernel that has only small ones refuses it */
	/* Not all alike, and no page zero. */
	for (size_t at = 0; at < size; at += step)
		memset(memory + at, (int)(at >> 12 & 0x7f) + 1, 4096);
	return memory;
}

uint8_t *load_memory(size_t size, size_t step)
{
	return map_and_write(size, step, MAP_PRIVATE, false);
}

void load_shared(size_t size)
{
	map_and_write(size, 4096, MAP_SHARED, false);
}

void load_areas(unsigned n)
{
	/* Every other one may be written, so that the kernel cannot merge them; each has one page with content. */
	for (unsigned i = 0; i < n; i++) {
		uint8_t *area = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (area == MAP_FAILED)
			die("mmap");
		area[0] = 1;
		if (i & 1 && mprotect(area, 4096, PROT_READ) < 0)
			die("mprotect");
	}
}

static void *idle(void *arg)
{
	while (pause() < 0)
		;
	return arg;
}

void load_threads(unsigned n)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN + 16384);
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&thread, &attributes, idle, NULL))
			die("pthread_create");
}

void load_processes(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0)
			idle(NULL);
	}
}

static void allow_descriptors(unsigned n)
{
	struct rlimit limit = { n + 100, n + 100 };

	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("setrlimit");
}

void load_pairs(unsigned n)
{
	int pair[2];

	allow_descriptors(2 * n);
	for (unsigned i = 0; i < n; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			die("socketpair");
}

void load_connections(unsigned n)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	allow_descriptors(2 * n);
	if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 10) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		die("listen");
	for (unsigned i = 0; i < n; i++)
		if (connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, size) < 0 ||
		    accept(listener, NULL, NULL) < 0)
			die("connect, accept");
}

void load_descriptors(unsigned n)
{
	int pair[2];

	allow_descriptors(n);
	for (unsigned i = 0; i < n; i += 4)
		if (pipe(pair) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			die("pipe, socketpair");
}

/* Ten of each sort, and again. */
void load_mixed(unsigned n)
{
	struct epoll_event event = { .events = EPOLLIN };
	static const char name[] = "/etc/passwd";
	struct itimerspec hour = { .it_value.tv_sec = 3600 };
	int pair[2], last, watch;
	sigset_t mask;

	allow_descriptors(n);
	sigemptyset(&mask);
	for (unsigned i = 0; i < n; i += 10) {
		if (open(name, O_RDONLY) < 0 || pipe(pair) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			die("open, pipe, socketpair");
		last = eventfd(i, 0);
		if (timerfd_settime(timerfd_create(CLOCK_MONOTONIC, 0), 0, &hour, NULL) < 0 ||
		    signalfd(-1, &mask, 0) < 0)
			die("timerfd, signalfd");
		if (epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, last, &event) < 0)
			die("epoll");
		/* Users may have few of these. */
		watch = i % 1000 ? dup(last) : inotify_init();
		if (watch < 0 || (!(i % 1000) && inotify_add_watch(watch, name, IN_MODIFY) < 0))
			die("inotify");
	}
}

#ifndef LOAD_NO_MAIN
/* usage: load READY-FILE KIND N */
/* Writes to every hundredth page, again and again. */
static void change(uint8_t *memory, size_t size)
{
	for (;; usleep(1000))
		for (size_t at = 0; at < size; at += 100 * 4096)
			memory[at]++;
}

int main(int argc, char **argv)
{
	uint8_t *changing = NULL;
	size_t n;
	int fd;

	if (argc != 4)
		return 2;
	n = strtoul(argv[3], NULL, 10);
	if (!strcmp(argv[2], "memory"))
		load_memory(n << 20, 4096);
	else if (!strcmp(argv[2], "fragmented"))
		load_memory(n << 20, 8192);
	else if (!strcmp(argv[2], "changing"))
		changing = load_memory(n << 20, 4096);
	else if (!strcmp(argv[2], "small pages"))
		map_and_write(n << 20, 4096, MAP_PRIVATE, true);
	else if (!strcmp(argv[2], "shared"))
		load_shared(n << 20);
	else if (!strcmp(argv[2], "areas"))
		load_areas((unsigned)n);
	else if (!strcmp(argv[2], "threads"))
		load_threads((unsigned)n);
	else if (!strcmp(argv[2], "processes"))
		load_processes((unsigned)n);
	else if (!strcmp(argv[2], "descriptors"))
		load_descriptors((unsigned)n);
	else if (!strcmp(argv[2], "mixed"))
		load_mixed((unsigned)n);
	else if (!strcmp(argv[2], "pairs"))
		load_pairs((unsigned)n);
	else if (!strcmp(argv[2], "connections"))
		load_connections((unsigned)n);
	else if (strcmp(argv[2], "small"))
		return 2;
	fd = open(argv[1], O_WRONLY | O_CREAT, 0600);
	if (fd < 0)
		die(argv[1]);
	close(fd);
	if (changing)
		change(changing, n << 20);
	return idle(NULL) != NULL;
}
#endif
