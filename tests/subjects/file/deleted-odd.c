// SPDX-License-Identifier: GPL-2.0-only
/* Deleted: a directory that is the current one, a fifo, a file whose name was taken by another, one below a deleted
 * directory. */
#include "subject.h"

SUBJECT()

int main(void)
{
	struct stat st;
	char text[16];

	must(mkdir("dir", 0710));
	must(mkdir("dir/below", 0700));
	int inside = must(open("dir/below/file", O_RDWR | O_CREAT, 0600));
	int dir = must(open("dir/below", O_RDONLY | O_DIRECTORY));

	must(write(inside, "inside", 6));
	must(mkfifo("fifo", 0600));
	int fifo = must(open("fifo", O_RDWR));

	must(write(fifo, "data", 4));
	must(unlink("fifo"));

	int old = must(open("name", O_RDWR | O_CREAT, 0600));

	must(write(old, "old", 3));
	must(unlink("name"));
	int new = must(open("name", O_RDWR | O_CREAT, 0600));

	must(write(new, "newer", 5));
	must(chdir("dir/below"));
	must(unlink("file"));
	must(rmdir("../below"));
	must(rmdir("../../dir"));

	checkpoint();

	CHECK_EQUAL(pread(inside, text, 16, 0), 6);
	must(fstat(dir, &st));
	CHECK(S_ISDIR(st.st_mode));
	CHECK_EQUAL(getcwd(text, sizeof(text)) == NULL, 1);
	CHECK_EQUAL(errno, ENOENT);
	CHECK_EQUAL(read(fifo, text, 16), 4);
	CHECK_EQUAL(pread(old, text, 16, 0), 3);
	CHECK_EQUAL(pread(new, text, 16, 0), 5);
	must(fstat(old, &st));
	CHECK_EQUAL(st.st_nlink, 0);
	must(fstat(new, &st));
	CHECK_EQUAL(st.st_nlink, 1);
	return 0;
}
