// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes to memory, drops, moves, maps it anew and forks, all the time, and looks whether each page is as it should be;
 * appends the numbers 1, 2, ... to a file as long as it is. usage: churn-memory FILE
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define AREAS 12
#define PAGES 512 /* of an area: too large to be compared, so it is tracked */
#define PAGE  4096

static char *areas[AREAS];
static uint64_t wanted[AREAS][PAGES]; /* 0: nothing was written to it */
static uint64_t number;

static void check_page(int a, int p)
{
	const uint64_t *page = (uint64_t *)(areas[a] + (size_t)p * PAGE);

	for (size_t i = 0; i < PAGE / sizeof(*page); i += 63)
		if (page[i] != (wanted[a][p] ? wanted[a][p] + i : 0)) {
			printf("area %d page %d word %zu: %#llx instead of %#llx\n", a, p, i,
			       (unsigned long long)page[i], (unsigned long long)wanted[a][p]);
			exit(1);
		}
}

static void write_page(int a, int p)
{
	uint64_t *page = (uint64_t *)(areas[a] + (size_t)p * PAGE);

	wanted[a][p] = ++number << 16;
	for (size_t i = 0; i < PAGE / sizeof(*page); i++)
		page[i] = wanted[a][p] + i;
}

static char *map_area(char *at)
{
	char *area = mmap(at, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0),
			  -1, 0);

	if (area == MAP_FAILED)
		exit(2);
	return area;
}

static void drop_pages(int a, int p)
{
	int n = PAGES - p < 16 ? PAGES - p : 16;

	if (madvise(areas[a] + (size_t)p * PAGE, (size_t)n * PAGE, MADV_DONTNEED) < 0)
		exit(2);
	memset(&wanted[a][p], 0, (size_t)n * sizeof(wanted[a][p]));
}

/* To a place that was another area until now, or to a new one. */
static void move_area(int a, int other)
{
	char *to = areas[other], *from = areas[a];

	if (a == other) {
		areas[a] = mremap(from, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map_area(NULL));
		if (areas[a] == MAP_FAILED)
			exit(2);
		return;
	}
	if (mremap(from, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		exit(2);
	areas[a] = to;
	areas[other] = map_area(from);
	memset(wanted[other], 0, sizeof(wanted[other]));
}

/* The child sees the pages as they are now, and takes a part of them as its own. */
static void fork_child(int a)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		for (int p = 0; p < PAGES; p += 3) {
			check_page(a, p);
			write_page(a, p);
		}
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		exit(3);
}

static void change_something(void)
{
	int a = rand() % AREAS, p = rand() % PAGES, what = rand() % 1000;

	if (what < 930)
		write_page(a, p);
	else if (what < 970)
		drop_pages(a, p);
	else if (what < 980)
		move_area(a, rand() % AREAS);
	else if (what < 990)
		move_area(a, a);
	else if (what < 995) {
		areas[a] = map_area(areas[a]);
		memset(wanted[a], 0, sizeof(wanted[a]));
	} else
		fork_child(a);
}

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (fd < 0)
		return 2;
	for (int a = 0; a < AREAS; a++) {
		areas[a] = map_area(NULL);
		for (int p = 0; p < PAGES; p++)
			write_page(a, p);
	}
	for (unsigned round = 1;; round++) {
		for (int i = 0; i < 100; i++)
			change_something();
		for (int a = 0; a < AREAS; a++)
			for (int p = 0; p < PAGES; p++)
				check_page(a, p);
		if (dprintf(fd, "%u\n", round) < 0)
			return 2;
		usleep(2000);
	}
}
