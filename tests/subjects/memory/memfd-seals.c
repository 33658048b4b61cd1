// SPDX-License-Identifier: GPL-2.0-only
/* Seals of memory files: those that forbid writing, and those that only forbid it anew while a mapping may still write.
 */
#include <stdio.h>

#include "subject.h"

SUBJECT()

#define LARGE (64 * 4096) /* what dump --live copies before the freeze */

/* Nobody can write to it any more; the middle was never written to. */
static const uint8_t *make_large(void)
{
	int fd = must(memfd_create("large", MFD_ALLOW_SEALING));
	uint8_t *writable;
	char path[32];

	must(ftruncate(fd, LARGE));
	writable = must(mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	fill(writable, LARGE / 4, 5);
	fill(writable + LARGE / 2, LARGE / 2, 6);
	must(munmap(writable, LARGE));
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	/* Through a descriptor that can write, smaps would show "sh" here, and not when it is restored. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return must(mmap(NULL, LARGE, PROT_READ, MAP_SHARED, must(open(path, O_RDONLY)), 0));
}

static void check_large(const uint8_t *large)
{
	check_filled(large, LARGE / 4, 5);
	check_zero(large + LARGE / 4, LARGE / 4);
	check_filled(large + LARGE / 2, LARGE / 2, 6);
}

int main(void)
{
	const uint8_t *large = make_large();
	int sealed = must(memfd_create("sealed", MFD_ALLOW_SEALING));
	int later = must(memfd_create("later", MFD_ALLOW_SEALING | MFD_CLOEXEC));
	char text[8] = { 0 };
	uint8_t *writable;

	CHECK_EQUAL(write(sealed, "sealed", 6), 6);
	must(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL));

	must(ftruncate(later, LARGE));
	writable = must(mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_SHARED, later, 0));
	must(fcntl(later, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	fill(writable, LARGE, 4);

	checkpoint();

	CHECK_EQUAL(fcntl(sealed, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	CHECK_EQUAL(pread(sealed, text, 7, 0), 6);
	CHECK(!strcmp(text, "sealed"));

	CHECK_EQUAL(fcntl(later, F_GET_SEALS), F_SEAL_FUTURE_WRITE);
	CHECK_EQUAL(fcntl(later, F_GETFD), FD_CLOEXEC);
	check_filled(writable, LARGE, 4);
	writable[5] = 1;
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, later, 0) == MAP_FAILED);
	check_large(large);
	return 0;
}
