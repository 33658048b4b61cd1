// SPDX-License-Identifier: GPL-2.0-only
/* Regular files and directories keep position, flags and access mode, at the same numbers. */
#include "subject.h"

SUBJECT()

int main(void)
{
	char text[8] = "";

	must(mkdir("folder", 0755));

	int fd = must(open("plain", O_RDWR | O_CREAT, 0640));
	CHECK_EQUAL(write(fd, "0123456789", 10), 10);
	int append = must(open("appended", O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0600));
	CHECK_EQUAL(write(append, "abc", 3), 3);
	int reader = must(open("plain", O_RDONLY | O_CLOEXEC));
	CHECK_EQUAL(lseek(reader, 4, SEEK_SET), 4);
	int folder = must(open("folder", O_RDONLY | O_DIRECTORY));
	int far = must(fcntl(fd, F_DUPFD, 900));
	must(close(far));
	far = must(dup2(must(open("plain", O_RDONLY)), 900));

	checkpoint();

	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 10);
	CHECK_EQUAL(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR);
	CHECK_EQUAL(fcntl(append, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_WRONLY | O_APPEND | O_NONBLOCK);
	CHECK_EQUAL(fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_EQUAL(fcntl(reader, F_GETFD), FD_CLOEXEC);
	CHECK_EQUAL(fcntl(fd, F_GETFD), 0);
	CHECK_EQUAL(read(reader, text, 3), 3);
	CHECK(!strcmp(text, "456"));
	CHECK_EQUAL(read(far, text, 2), 2);
	CHECK(!strncmp(text, "01", 2));
	CHECK_EQUAL(write(append, "d", 1), 1);
	CHECK_EQUAL(lseek(append, 0, SEEK_END), 4);
	must(openat(folder, "inside", O_WRONLY | O_CREAT, 0600));
	must(access("folder/inside", F_OK));
	return 0;
}
