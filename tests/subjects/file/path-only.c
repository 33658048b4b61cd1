// SPDX-License-Identifier: GPL-2.0-only
/* O_PATH descriptors of files, directories, links and fifos. */
#include "subject.h"

SUBJECT()

int main(void)
{
	struct stat st;

	must(close(must(open("file", O_RDWR | O_CREAT, 0600))));
	must(symlink("file", "link"));
	must(mkfifo("fifo", 0600));

	int file = must(open("file", O_PATH)), dir = must(open(".", O_PATH | O_DIRECTORY));
	int link = must(open("link", O_PATH | O_NOFOLLOW)), fifo = must(open("fifo", O_PATH));

	checkpoint();

	must(fstat(file, &st));
	CHECK(S_ISREG(st.st_mode));
	must(fstat(link, &st));
	CHECK(S_ISLNK(st.st_mode));
	must(fstat(fifo, &st));
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_EQUAL(read(file, &st, 1), -1);
	CHECK_EQUAL(errno, EBADF);
	must(openat(dir, "file", O_RDONLY));
	CHECK(fcntl(file, F_GETFL) & O_PATH);
	return 0;
}
