// SPDX-License-Identifier: GPL-2.0-only
/* Changes its memory as the file "order" says ("NUMBER WORD"), and writes "NUMBER ok" to "done": for tests of
 * pre-dumps. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 512u
#define WORDS 512u

static uint64_t *memory, generation[PAGES], now;
static int *shared, flood; /* flood: all of it but the first and the last word */
static pid_t child;
static char *old_area; /* there is room before it */
#define OLD 65536

static void paint(unsigned page)
{
	generation[page] = now;
	for (unsigned i = 0; i < WORDS; i++)
		memory[page * WORDS + i] = now * 1000003 + page + i;
}

static int check(void)
{
	for (unsigned page = 0; page < PAGES; page++)
		for (unsigned i = 0; i < WORDS; i++)
			if (memory[page * WORDS + i] != (generation[page] ? generation[page] * 1000003 + page + i : 0))
				return 0;
	return 1;
}

/* Two areas side by side, the first made long ago, are one for the kernel: they grow together. */
static const char *grow(void)
{
	char *second =
		mmap(old_area - OLD, OLD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	second[0] = old_area[0] = 1;
	return mremap(second, 2 * OLD, 3 * OLD, MREMAP_MAYMOVE) != MAP_FAILED ? "ok" : "it does not grow";
}

static int check_shared(void)
{
	for (unsigned i = 1; i < PAGES * WORDS - 1; i++)
		if (shared[i] != flood)
			return 0;
	return shared[0] == shared[PAGES * WORDS - 1];
}

static void share_all(void)
{
	flood = (int)++now;
	for (unsigned i = 0; i < PAGES * WORDS; i++)
		shared[i] = flood;
}

static void paint_some(unsigned step)
{
	now++;
	for (unsigned page = now % step; page < PAGES; page += step)
		paint(page);
}

static void map(void)
{
	memory = mmap(memory, PAGES * 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | (memory ? MAP_FIXED : 0), -1, 0);
	memset(generation, 0, sizeof(generation));
	paint_some(1);
}

/* Has a copy of all of it, changes some, and says at the end whether it is right. */
static void become_child(void)
{
	paint_some(7);
	while (access("child", F_OK) != 0)
		usleep(1000);
	_exit(check() ? 3 : 1);
}

static const char *do_order(const char *order, char **argv)
{
	int status = 0;

	if (!strcmp(order, "paint"))
		paint_some(50);
	else if (!strcmp(order, "map"))
		map();
	else if (!strcmp(order, "close"))
		close_range(3, ~0u, 0);
	else if (!strcmp(order, "fork") && (child = fork()) == 0)
		become_child();
	else if (!strcmp(order, "join"))
		return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3
			       ? "ok"
			       : "child is wrong";
	else if (!strcmp(order, "exec"))
		execv("/proc/self/exe", argv);
	else if (!strcmp(order, "share"))
		shared[PAGES * WORDS - 1] = shared[0] = (int)++now;
	else if (!strcmp(order, "flood"))
		share_all();
	else if (!strcmp(order, "punch"))
		return madvise(shared, PAGES * WORDS * sizeof(int), MADV_REMOVE) == 0 && (flood = 0) == 0 ? "ok"
													  : "it stays";
	else if (!strcmp(order, "grow"))
		return grow();
	else if (!strcmp(order, "check"))
		return check() && check_shared() ? "ok" : "memory is wrong";
	return "ok";
}

static int read_order(char *word)
{
	FILE *file = fopen("order", "r");
	int number = 0;

	if (file && fscanf(file, "%d %15s", &number, word) != 2)
		number = 0;
	if (file)
		fclose(file);
	return number;
}

static void tell(int number, const char *text)
{
	FILE *file = fopen("done.new", "w");

	fprintf(file, "%d %s", number, text);
	fclose(file);
	rename("done.new", "done");
}

int main(int argc, char **argv)
{
	char word[16] = "";
	int last = read_order(word); /* the order to execute is done by that */

	shared = mmap(NULL, PAGES * WORDS * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	old_area = mmap(NULL, 2 * OLD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	old_area = mmap(old_area + OLD, OLD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	map();
	tell(last, "ok");
	for (;;) {
		int number = read_order(word);

		if (number > last) {
			last = number;
			tell(number, do_order(word, argv));
		}
		usleep(1000);
	}
}
