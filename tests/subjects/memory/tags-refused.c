// SPDX-License-Identifier: GPL-2.0-only
/* Memory with tags (MTE of aarch64) is refused: nothing reads the tags yet. */
#include "subject.h"

#include <sys/auxv.h>
#include <sys/mman.h>

SUBJECT(.refused = "memory with tags \\(MTE\\): it cannot be checkpointed yet")

#define CAP2_MTE (1ul << 18)
#define MTE	 0x20 /* PROT_MTE */

int main(void)
{
	void *memory;

	if (!(getauxval(AT_HWCAP2) & CAP2_MTE))
		skip("this CPU has no tags of memory");
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE | MTE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	checkpoint();
	return 0;
}
