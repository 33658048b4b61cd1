// SPDX-License-Identifier: GPL-2.0-only
/* A deleted file below a directory that is gone, and whose name is that of a file now. */
#include "subject.h"

SUBJECT(.ignore = "fd") /* such a name cannot be had again */

int main(void)
{
	char text[16];

	must(mkdir("was-dir", 0700));
	must(mkdir("was-dir/deep", 0700));
	int below = must(open("was-dir/deep/below", O_RDWR | O_CREAT, 0600));
	must(write(below, "below", 5));
	must(unlink("was-dir/deep/below"));
	must(rmdir("was-dir/deep"));
	must(rmdir("was-dir"));
	must(close(must(open("was-dir", O_RDWR | O_CREAT, 0600))));

	checkpoint();

	CHECK_EQUAL(pread(below, text, 16, 0), 5);
	must(unlink("was-dir"));
	return 0;
}
