// SPDX-License-Identifier: GPL-2.0-only
/* Memory that the kernel may drop when it is short of it (MAP_DROPPABLE, Linux 6.11): its pages are as they were, or
 * zero. */
#include "subject.h"

#define MAP_DROPPABLE_ 0x08
#define PAGES	       64
#define SIZE	       (unsigned)getpagesize()

SUBJECT()

static bool is_droppable(const void *memory)
{
	char line[512];
	bool here = false, found = false;
	FILE *smaps = fopen("/proc/self/smaps", "re");

	CHECK(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-'))
			here = start <= (uintptr_t)memory && (uintptr_t)memory < end;
		else if (here && !strncmp(line, "VmFlags:", 8))
			found = strstr(line, " dp ");
	}
	fclose(smaps);
	return found;
}

int main(void)
{
	uint8_t *memory = mmap(NULL, PAGES * SIZE, PROT_READ | PROT_WRITE, MAP_DROPPABLE_ | MAP_ANONYMOUS, -1, 0);
	const uint8_t *odd = memory + SIZE;

	if (memory == MAP_FAILED)
		skip("this kernel has no MAP_DROPPABLE");
	must(mprotect(memory + 8 * SIZE, SIZE, PROT_READ));
	for (size_t i = 0; i < PAGES; i++)
		if (i != 8)
			memset(memory + i * SIZE, (int)i + 1, SIZE);

	checkpoint();

	CHECK(is_droppable(memory) && is_droppable(odd) && is_droppable(memory + (PAGES - 1) * SIZE));
	for (size_t i = 0; i < PAGES * SIZE; i++)
		CHECK(memory[i] == 0 || memory[i] == i / SIZE + 1);
	memory[0] = 7;
	CHECK(munmap(memory, PAGES * SIZE) == 0);
	return 0;
}
