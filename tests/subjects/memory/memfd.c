// SPDX-License-Identifier: GPL-2.0-only
/* Memory files: name, size, content with holes, mode, position, several openings, private and shared mappings.
 */
#include "subject.h"

SUBJECT()

#define PAGE (unsigned)getpagesize()
#define SIZE (300 * PAGE + 5)

static void check_link(int fd, const char *wanted)
{
	char path[64], link[128] = { 0 };

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, link, sizeof(link) - 1) > 0);
	CHECK(!strcmp(link, wanted));
}

static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags);
}

int main(void)
{
	int fd = must(memfd_create("first", MFD_ALLOW_SEALING)), empty = must(memfd_create("", 0)), readonly;
	uint8_t *shared, *private, *past;
	struct stat stat;

	must(ftruncate(fd, SIZE));
	shared = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	private = must(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, PAGE));
	fill(shared, 5 * PAGE, 1);
	fill(shared + 299 * PAGE, PAGE + 5, 2);
	fill(private + PAGE, PAGE, 3);
	must(fchmod(fd, 0640));
	readonly = must(reopen(fd, O_RDONLY));
	must((int)lseek(readonly, 4097, SEEK_SET));
	must((int)lseek(fd, 77, SEEK_SET));

	checkpoint();

	check_link(fd, "/memfd:first (deleted)");
	check_link(empty, "/memfd: (deleted)");
	CHECK_EQUAL(fstat(fd, &stat), 0);
	CHECK(stat.st_blocks < 50 * 8); /* reading the holes through a mapping fills them */
	check_filled(shared, 5 * PAGE, 1);
	check_zero(shared + 5 * PAGE, 294 * PAGE);
	check_filled(shared + 299 * PAGE, PAGE + 5, 2);
	check_filled(private + PAGE, PAGE, 3);
	CHECK(!memcmp(private, shared + PAGE, PAGE));

	CHECK_EQUAL(fstat(fd, &stat), 0);
	CHECK_EQUAL(stat.st_size, SIZE);
	CHECK_EQUAL(stat.st_mode & 07777, 0640);
	CHECK_EQUAL(lseek(fd, 0, SEEK_CUR), 77);
	CHECK_EQUAL(lseek(readonly, 0, SEEK_CUR), 4097);
	CHECK_EQUAL(write(readonly, "x", 1), -1);
	CHECK_EQUAL(fcntl(fd, F_GET_SEALS), 0);
	/* One object: what comes in through the descriptor is seen by all. */
	CHECK_EQUAL(pwrite(fd, "seen", 4, 200 * PAGE), 4);
	CHECK(!memcmp(shared + 200 * PAGE, "seen", 4));
	shared[201 * PAGE] = 42;
	past = must(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, readonly, 0));
	CHECK_EQUAL(past[201 * PAGE], 42);

	CHECK_EQUAL(fcntl(empty, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_EQUAL(fstat(empty, &stat), 0);
	CHECK_EQUAL(stat.st_size, 0);

	return 0;
}
