// SPDX-License-Identifier: GPL-2.0-only
/* A program whose own file was deleted, as after an upgrade: the executable link and its mappings. */
#include "subject.h"

SUBJECT(.dump_options = "--ghost-limit 16M")

static void copy_self(const char *to)
{
	int in = must(open("/proc/self/exe", O_RDONLY)), out = must(open(to, O_WRONLY | O_CREAT | O_EXCL, 0700));
	static char block[65536];
	ssize_t got;

	while ((got = must(read(in, block, sizeof(block)))) > 0)
		CHECK_EQUAL(write(out, block, (size_t)got), got);
	must(close(in));
	must(close(out));
}

int main(int argc, char **argv)
{
	char path[512] = "";

	if (access("copied", F_OK) < 0) {
		must(close(must(open("copied", O_WRONLY | O_CREAT, 0600))));
		copy_self("program");
		execv("program", argv);
		return 1;
	}
	must(unlink("program"));

	checkpoint();

	must(readlink("/proc/self/exe", path, sizeof(path) - 1));
	CHECK(strstr(path, "/program (deleted)"));
	CHECK_EQUAL(access("program", F_OK), -1);
	return 0;
}
