// SPDX-License-Identifier: GPL-2.0-only
/* Seals of memory files: those that forbid writing, and those that only forbid it anew while a mapping may still write.
 */
#include "subject.h"

SUBJECT()

int main(void)
{
	int sealed = must(memfd_create("sealed", MFD_ALLOW_SEALING));
	int later = must(memfd_create("later", MFD_ALLOW_SEALING | MFD_CLOEXEC));
	char text[8] = { 0 };
	uint8_t *writable;

	CHECK_EQUAL(write(sealed, "sealed", 6), 6);
	must(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL));

	must(ftruncate(later, 4096));
	writable = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, later, 0));
	must(fcntl(later, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	fill(writable, 4096, 4);

	checkpoint();

	CHECK_EQUAL(fcntl(sealed, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	CHECK_EQUAL(pread(sealed, text, 7, 0), 6);
	CHECK(!strcmp(text, "sealed"));

	CHECK_EQUAL(fcntl(later, F_GET_SEALS), F_SEAL_FUTURE_WRITE);
	CHECK_EQUAL(fcntl(later, F_GETFD), FD_CLOEXEC);
	check_filled(writable, 4096, 4);
	writable[5] = 1;
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, later, 0) == MAP_FAILED);
	return 0;
}
