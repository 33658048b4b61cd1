// SPDX-License-Identifier: GPL-2.0-only
/* A memfd keeps its times, its extended attributes and its write hint. */
#include <sys/mman.h>
#include <sys/xattr.h>

#include "subject.h"

SUBJECT()

int main(void)
{
	const struct timespec times[] = { { 1000, 5 }, { 2000, 6 } };
	int fd = must(memfd_create("inode", MFD_ALLOW_SEALING)), has_xattrs;
	uint64_t hint = RWH_WRITE_LIFE_LONG, now = 0;
	char value[8] = "";
	struct stat st;

	must(ftruncate(fd, 8192));
	CHECK_EQUAL(pwrite(fd, "text", 4, 4096), 4);
	has_xattrs = fsetxattr(fd, "trusted.some", "value", 5, 0) == 0;
	must(fcntl(fd, F_SET_RW_HINT, &hint));
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
	must(futimens(fd, times));

	checkpoint();

	must(fstat(fd, &st));
	CHECK_EQUAL(st.st_atim.tv_sec, 1000);
	CHECK_EQUAL(st.st_atim.tv_nsec, 5);
	CHECK_EQUAL(st.st_mtim.tv_sec, 2000);
	CHECK_EQUAL(st.st_mtim.tv_nsec, 6);
	must(fcntl(fd, F_GET_RW_HINT, &now));
	CHECK_EQUAL(now, hint);
	if (has_xattrs) {
		CHECK_EQUAL(fgetxattr(fd, "trusted.some", value, sizeof(value)), 5);
		CHECK(memcmp(value, "value", 5) == 0);
	}
	return 0;
}
