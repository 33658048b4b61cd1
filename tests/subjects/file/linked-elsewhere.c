// SPDX-License-Identifier: GPL-2.0-only
/* A file that lost the name it was opened by but has another: --link-remap. Nothing of it is left in the directory. */
#include <dirent.h>

#include "subject.h"

SUBJECT(.dump_options = "--link-remap", .not_ways = "unharmed") /* the new name stays for the restore */

int main(void)
{
	int fd = must(open("first", O_RDWR | O_CREAT, 0600)), again = must(open("first", O_RDONLY));
	struct stat st, other;
	struct dirent *entry;

	must(write(fd, "content", 7));
	must(link("first", "second"));
	must(unlink("first"));

	checkpoint();

	must(fstat(fd, &st));
	must(stat("second", &other));
	CHECK_EQUAL(st.st_ino, other.st_ino);
	CHECK_EQUAL(st.st_nlink, 1);
	must(fstat(again, &st));
	CHECK_EQUAL(st.st_ino, other.st_ino);
	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 7);

	DIR *dir = opendir(".");

	while ((entry = readdir(dir)))
		CHECK(strncmp(entry->d_name, "link_remap", 10) != 0);
	return 0;
}
