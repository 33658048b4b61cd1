// SPDX-License-Identifier: GPL-2.0-only
/* The demonstration's program: counts, ten times a second, and prints each number on a line. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	for (unsigned long n = 1;; n++) {
		printf("%lu\n", n);
		fflush(stdout);
		usleep(100000);
	}
}
