// SPDX-License-Identifier: GPL-2.0-only
/* A file without a name (O_TMPFILE) can still be given one after the restore. */
#include "subject.h"

SUBJECT()

int main(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	char path[32], text[16];
	struct stat st;

	if (fd < 0)
		skip("O_TMPFILE: %s", strerror(errno));
	must(write(fd, "content", 7));

	checkpoint();

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_EQUAL(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 7);
	CHECK_EQUAL(pread(must(open("named", O_RDONLY)), text, 16, 0), 7);
	must(fstat(fd, &st));
	CHECK_EQUAL(st.st_nlink, 1);
	return 0;
}
