// SPDX-License-Identifier: GPL-2.0-only
/* A directory of a mount that hangs nowhere has the path of another one: refused, not taken for that. */
#include "subject.h"

SUBJECT(.refused = "lies on mount [0-9]+, which is mounted nowhere", .ways = "untouched unharmed")

int main(void)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */);

	if (fd < 0)
		skip("open_tree: %s", strerror(errno));

	checkpoint();

	CHECK_EQUAL(faccessat(fd, ".", F_OK, 0), 0);
	return 0;
}
