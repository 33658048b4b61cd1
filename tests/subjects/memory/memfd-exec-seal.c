// SPDX-License-Identifier: GPL-2.0-only
/* Memory files whose mode is sealed (F_SEAL_EXEC, MFD_NOEXEC_SEAL; Linux 6.3): one that nobody can run, one that can be
 * run and so not be changed. */
#include "subject.h"

#include <sys/stat.h>

#define NOEXEC_SEAL 0x0008u
#define SEAL_EXEC   0x0020

SUBJECT()

static mode_t mode_of(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	return st.st_mode & 07777;
}

int main(void)
{
	int data = memfd_create("data", NOEXEC_SEAL), program, seals, program_seals;

	if (data < 0)
		skip("this kernel has no MFD_NOEXEC_SEAL");
	program = must(memfd_create("program", MFD_ALLOW_SEALING));
	CHECK_EQUAL(write(data, "data", 4), 4);
	CHECK_EQUAL(write(program, "#!/bin/true", 11), 11);
	must(fchmod(program, 0755));
	must(fcntl(program, F_ADD_SEALS, SEAL_EXEC));
	seals = must(fcntl(data, F_GET_SEALS));
	program_seals = must(fcntl(program, F_GET_SEALS));
	CHECK(seals & SEAL_EXEC && program_seals & F_SEAL_WRITE);

	checkpoint();

	CHECK_EQUAL(fcntl(data, F_GET_SEALS), seals);
	CHECK_EQUAL(fcntl(program, F_GET_SEALS), program_seals);
	CHECK_EQUAL(mode_of(data), 0666);
	CHECK_EQUAL(mode_of(program), 0755);
	CHECK_EQUAL(fchmod(data, 0777), -1);
	CHECK_EQUAL(pwrite(data, "more", 4, 0), 4);
	CHECK_EQUAL(pwrite(program, "more", 4, 0), -1);
	return 0;
}
