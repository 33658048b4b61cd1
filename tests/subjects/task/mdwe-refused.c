// SPDX-License-Identifier: GPL-2.0-only
/* A process that may not make memory both writable and executable (PR_SET_MDWE), and its child, which may not either:
 * refused, as criu needs such memory. */
#include "subject.h"

#include <sys/prctl.h>

SUBJECT(.refused = "PR_SET_MDWE", .ignore = "preflight")

#define SET_MDWE 65
#define GET_MDWE 66

static void check(void)
{
	CHECK_EQUAL(prctl(GET_MDWE, 0, 0, 0, 0), 1);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK_EQUAL(errno, EACCES);
}

static int child(void *arg)
{
	wait_for_restore();
	check();
	return 0;
}

int main(void)
{
	pid_t pid;

	if (prctl(SET_MDWE, 1, 0, 0, 0) < 0)
		skip("this kernel has no PR_SET_MDWE");
	pid = start_child(child, NULL);

	checkpoint_with(1);

	check();
	join_child(pid, 0);
	return 0;
}
