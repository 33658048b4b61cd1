// SPDX-License-Identifier: GPL-2.0-only
/* Duplicated descriptors share one position and one set of flags; close-on-exec belongs to each of them alone. */
#include "subject.h"

#include <linux/kcmp.h>

SUBJECT()

int main(void)
{
	int fd = must(open("data", O_RDWR | O_CREAT, 0600));
	int same = must(dup(fd));
	int far = must(fcntl(fd, F_DUPFD_CLOEXEC, 2000 > getdtablesize() ? getdtablesize() - 1 : 2000));
	int other = must(open("data", O_RDWR));
	int ends[2];

	must(pipe(ends));

	int end = must(dup2(ends[1], 77));

	CHECK_EQUAL(write(fd, "0123456789", 10), 10);
	CHECK_EQUAL(lseek(same, 3, SEEK_SET), 3);

	checkpoint();

	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 3);
	CHECK_EQUAL(lseek(far, 4, SEEK_CUR), 7);
	CHECK_EQUAL(lseek(same, 0, SEEK_CUR), 7);
	CHECK_EQUAL(lseek(other, 0, SEEK_CUR), 0);
	must(fcntl(same, F_SETFL, O_APPEND));
	CHECK(fcntl(fd, F_GETFL) & O_APPEND);
	CHECK(!(fcntl(other, F_GETFL) & O_APPEND));
	CHECK_EQUAL(fcntl(far, F_GETFD), FD_CLOEXEC);
	CHECK_EQUAL(fcntl(fd, F_GETFD), 0);
	CHECK_EQUAL(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, far), 0);
	CHECK(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, other) != 0);
	CHECK_EQUAL(syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, ends[1], end), 0);

	/* Both writers gone: the reader sees the end. */
	char c;
	must(close(ends[1]));
	CHECK_EQUAL(write(end, "z", 1), 1);
	must(close(end));
	CHECK_EQUAL(read(ends[0], &c, 1), 1);
	CHECK_EQUAL(read(ends[0], &c, 1), 0);
	return 0;
}
