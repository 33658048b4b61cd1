// SPDX-License-Identifier: GPL-2.0-only
/* Of so many processes that what the kernel keeps of them is told of all at once, each keeps its oom_score_adj, its
 * coredump_filter, its login uid, and whether what it maps is locked. */
#include "subject.h"

SUBJECT(.seconds = 30)

#define N     60
#define SORTS 5
#define PAGE  (unsigned)getpagesize()

static char *read_own(const char *name, char text[32])
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	fd = open(path, O_RDONLY);
	memset(text, 0, 32);
	if (fd < 0)
		return text; /* a kernel without it */
	must(read(fd, text, 31));
	close(fd);
	return text;
}

static void write_own(const char *name, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return;
	must(write(fd, text, strlen(text)));
	close(fd);
}

static bool locks_new(void)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool locked;

	CHECK(page != MAP_FAILED);
	locked = madvise(page, PAGE, MADV_DONTNEED) < 0;
	CHECK_EQUAL(munmap(page, PAGE), 0);
	return locked;
}

static int be_child(void *arg)
{
	static const char *const files[] = { "oom_score_adj", "coredump_filter", "loginuid" };
	const long number = (long)arg;
	char before[ARRAY_SIZE(files)][32], after[32], text[32];

	snprintf(text, sizeof(text), "%ld", number + 20);
	if (number % SORTS == 1)
		write_own("oom_score_adj", text);
	if (number % SORTS == 2)
		write_own("coredump_filter", number & 1 ? "0x11" : "0x7f");
	if (number % SORTS == 3)
		write_own("loginuid", text);
	if (number % SORTS == 4)
		must(mlockall(MCL_FUTURE));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		read_own(files[i], before[i]);
	wait_for_restore();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		CHECK(!strcmp(before[i], read_own(files[i], after)));
	CHECK_EQUAL(locks_new(), number % SORTS == 4);
	return 7;
}

int main(void)
{
	pid_t children[N];

	for (long i = 0; i < N; i++)
		children[i] = start_child(be_child, (void *)i);
	checkpoint_with(N);
	CHECK(!locks_new());
	for (int i = 0; i < N; i++)
		join_child(children[i], 7);
	return 0;
}
