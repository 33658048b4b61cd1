// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Starts a program in a language without memfd_create(2), such as Java, with a memory file for criu-tell: its number is
 * in CRIU_TELL_FD. The program fills in its part (docs/TELL.md). usage: tell-file PROGRAM [ARGUMENT...]
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE 40

int main(int argc, char **argv)
{
	int fd = memfd_create("criu-tell", 0);
	char number[16];

	if (argc < 2 || fd < 0 || ftruncate(fd, SIZE) < 0) {
		fprintf(stderr, "usage: tell-file PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	snprintf(number, sizeof(number), "%d", fd);
	setenv("CRIU_TELL_FD", number, 1);
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
