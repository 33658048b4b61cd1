// SPDX-License-Identifier: GPL-2.0-only
/* Programs of x32 run in 64-bit mode, with addresses of 32 bits. Few kernels have them: this one only has their
 * auxiliary vector, by which criu tells them. */
#include "subject.h"

#include <elf.h>
#include <sys/prctl.h>

SUBJECT(.refused = "x32")

int main(void)
{
	static const uint32_t vector[] = { AT_SYSINFO_EHDR, 0xf7f00000, AT_PAGESZ, 4096, AT_NULL, 0, AT_NULL, 0 };

	if (prctl(PR_SET_MM, PR_SET_MM_AUXV, vector, sizeof(vector), 0) < 0)
		skip("this kernel lets nobody set the auxiliary vector");
	checkpoint();
	return 0;
}
