// SPDX-License-Identifier: GPL-2.0-only
/* A mapped device: /dev/zero, which every kernel has. What is in it after a restore by a plugin is printed. */
#include "subject.h"

SUBJECT()

int main(void)
{
	int device = must(open("/dev/zero", O_RDONLY));
	const char *memory = must(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, device, 0));

	must(close(device));
	CHECK_EQUAL(memory[0], 0);

	checkpoint();

	printf("memory: %.20s\n", memory);
	return 0;
}
