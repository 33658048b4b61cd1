// SPDX-License-Identifier: GPL-2.0-only
/* A task that may not have a page more (RLIMIT_AS) is refused with the way out. */
#include "subject.h"

#include <sys/resource.h>

SUBJECT(.refused = "limit of address space \\(prlimit --pid")

int main(void)
{
	struct rlimit limit = { 4096, RLIM_INFINITY };

	must(setrlimit(RLIMIT_AS, &limit));
	checkpoint();
	return 0;
}
