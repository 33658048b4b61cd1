// SPDX-License-Identifier: GPL-2.0-only
/* Processes with one descriptor table, but each with memory of its own that is mapped from files: no descriptor is
 * lost, and each mapping shows its own file. */
#include <sched.h>
#include <sys/mman.h>

#include "subject.h"

SUBJECT()

#define CHILDREN 4
#define NUMBERS	 12

static char *shared, *private;
static int own;

static void make_files(int n)
{
	char name[] = "data-0";
	int fd;

	name[5] = (char)('0' + n);
	fd = must(open(name, O_RDWR | O_CREAT, 0600));
	must(ftruncate(fd, 8192));
	must(pwrite(fd, name, sizeof(name), 0));
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	private[0] = (char)('a' + n);
	own = fd;
}

static void check_files(int n)
{
	CHECK_EQUAL(shared[5], '0' + n);
	CHECK_EQUAL(private[0], 'a' + n);
	for (int fd = 0; fd < NUMBERS; fd++)
		CHECK(fcntl(fd, F_GETFD) >= 0);
}

static int work(void *arg)
{
	int n = (int)(long)arg;

	make_files(n);
	wait_for_restore();
	check_files(n);
	return 0;
}

int main(void)
{
	static char stacks[CHILDREN][65536] __attribute__((aligned(16)));
	char *common = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[CHILDREN];

	CHECK(common != MAP_FAILED);
	common[0] = 'c';
	for (int fd = 3; fd < NUMBERS; fd++)
		must(dup2(0, fd));
	make_files(0);
	/* Every other one has a table of its own. */
	for (int i = 0; i < CHILDREN; i++)
		children[i] = must(clone(work, stacks[i] + sizeof(stacks[i]), (i % 2 ? 0 : CLONE_FILES) | SIGCHLD,
					 (void *)(long)(i + 1)));

	checkpoint_with(CHILDREN);

	for (int i = 0; i < CHILDREN; i++)
		join_child(children[i], 0);
	check_files(0);
	CHECK_EQUAL(common[0], 'c');
	must(close(own));
	return 0;
}
