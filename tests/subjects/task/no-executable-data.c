// SPDX-License-Identifier: GPL-2.0-only
/* Processes that may not have memory which is both writable and executable: one whose children may not, either, one
 * whose children may, and a child of that. What was mapped before is still there. */
#include "subject.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

SUBJECT()

#define SET_MDWE   65
#define GET_MDWE   66
#define NO_INHERIT 2

static void *map(int prot)
{
	return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void check_denied(bool denied)
{
	void *data = map(PROT_READ | PROT_WRITE), *both = map(PROT_READ | PROT_WRITE | PROT_EXEC);

	CHECK_EQUAL(both == MAP_FAILED, denied);
	CHECK_EQUAL(mprotect(data, 4096, PROT_READ | PROT_EXEC) < 0, denied);
	munmap(data, 4096);
	if (both != MAP_FAILED)
		munmap(both, 4096);
}

static int free_child(void *arg)
{
	CHECK_EQUAL(prctl(GET_MDWE, 0, 0, 0, 0), 0);
	wait_for_restore();
	CHECK_EQUAL(prctl(GET_MDWE, 0, 0, 0, 0), 0);
	check_denied(false);
	return 0;
}

static int parent_of_free(void *arg)
{
	pid_t pid;

	must(prctl(SET_MDWE, 1 | NO_INHERIT, 0, 0, 0));
	pid = start_child(free_child, NULL);
	wait_for_restore();
	CHECK_EQUAL(prctl(GET_MDWE, 0, 0, 0, 0), 1 | NO_INHERIT);
	check_denied(true);
	join_child(pid, 0);
	return 0;
}

int main(void)
{
	unsigned char *both = map(PROT_READ | PROT_WRITE | PROT_EXEC), *code = map(PROT_READ | PROT_EXEC);
	pid_t pid;

	if (prctl(GET_MDWE, 0, 0, 0, 0) < 0)
		skip("this kernel cannot forbid it");
	pid = start_child(parent_of_free, NULL);
	memset(both, 0x5a, 4096);
	must(prctl(SET_MDWE, 1, 0, 0, 0));

	checkpoint_with(2);

	CHECK_EQUAL(prctl(GET_MDWE, 0, 0, 0, 0), 1);
	check_denied(true);
	for (int i = 0; i < 4096; i++)
		CHECK_EQUAL(both[i], 0x5a);
	both[0] = 1;
	CHECK_EQUAL(mprotect(both, 4096, PROT_READ | PROT_EXEC), 0); /* it could be executed already */
	CHECK_EQUAL(code[0], 0);
	CHECK_EQUAL(mprotect(code, 4096, PROT_READ), 0);
	CHECK(mprotect(code, 4096, PROT_READ | PROT_EXEC) < 0);
	join_child(pid, 0);
	return 0;
}
