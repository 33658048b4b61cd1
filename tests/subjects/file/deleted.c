// SPDX-License-Identifier: GPL-2.0-only
/* Deleted files keep content, holes, mode and times; openings of one file stay openings of one file, mapped or not. */
#include "subject.h"

SUBJECT(.options = "", .dump_options = "--ghost-limit 2M")

#define HOLE (1 << 20)

int main(void)
{
	struct stat st, now;
	char byte;

	int small = must(open("small", O_RDWR | O_CREAT, 0640)), reader = must(open("small", O_RDONLY));
	int sparse = must(open("sparse", O_RDWR | O_CREAT, 0600)),
	    log = must(open("log", O_WRONLY | O_APPEND | O_CREAT, 0600));

	must(write(small, "0123456789", 10));
	must(lseek(reader, 5, SEEK_SET));
	must(pwrite(sparse, "x", 1, HOLE));
	must(ftruncate(sparse, 3 * HOLE));
	must(write(log, "begin", 5));

	char *map = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, small, 0));

	must(unlink("small"));
	must(unlink("sparse"));
	must(unlink("log"));
	must(fstat(small, &st));

	checkpoint();

	must(fstat(small, &now));
	CHECK_EQUAL(now.st_nlink, 0);
	CHECK_EQUAL(now.st_mode, st.st_mode);
	CHECK_EQUAL(now.st_mtim.tv_sec, st.st_mtim.tv_sec);
	CHECK_EQUAL(now.st_size, 10);
	CHECK_EQUAL(lseek(small, 0, SEEK_CUR), 10);
	CHECK_EQUAL(read(reader, &byte, 1), 1);
	CHECK_EQUAL(byte, '5');
	must(pwrite(small, "X", 1, 6));
	CHECK_EQUAL(read(reader, &byte, 1), 1);
	CHECK_EQUAL(byte, 'X');
	CHECK_EQUAL(map[6], 'X');
	map[7] = 'Y';
	CHECK_EQUAL(read(reader, &byte, 1), 1);
	CHECK_EQUAL(byte, 'Y');

	must(fstat(sparse, &now));
	CHECK_EQUAL(now.st_size, 3 * HOLE);
	CHECK(now.st_blocks * 512 < HOLE);
	CHECK_EQUAL(pread(sparse, &byte, 1, HOLE), 1);
	CHECK_EQUAL(byte, 'x');
	must(fstat(log, &now));
	CHECK_EQUAL(now.st_size, 5);
	CHECK(fcntl(log, F_GETFL) & O_APPEND);
	CHECK_EQUAL(access("small", F_OK), -1);
	CHECK_EQUAL(access("sparse", F_OK), -1);
	return 0;
}
