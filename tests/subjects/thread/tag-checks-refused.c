// SPDX-License-Identifier: GPL-2.0-only
/* A thread that checks tags of memory (MTE of aarch64) is refused, with or without such memory. */
#include "subject.h"

#include <sys/auxv.h>
#include <sys/prctl.h>

SUBJECT(.refused = "the thread checks tags of memory \\(MTE\\): it cannot be checkpointed yet")

#define CAP2_MTE (1ul << 18)
#define ENABLE	 1ul	    /* PR_TAGGED_ADDR_ENABLE */
#define CHECKS	 (1ul << 1) /* PR_MTE_TCF_SYNC */

int main(void)
{
	if (!(getauxval(AT_HWCAP2) & CAP2_MTE))
		skip("this CPU has no tags of memory");
	must(prctl(PR_SET_TAGGED_ADDR_CTRL, ENABLE | CHECKS, 0, 0, 0));
	checkpoint();
	return 0;
}
