// SPDX-License-Identifier: GPL-2.0-only
/* Each thread keeps its action for memory errors, its control of speculation and its memory policy. */
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "subject.h"

SUBJECT()

static void policy(int *mode, unsigned long *nodes)
{
	CHECK_EQUAL(syscall(SYS_get_mempolicy, mode, nodes, 1024, NULL, 0), 0);
}

static void *other(void *arg)
{
	unsigned long nodes[16] = { 1 };
	int mode;
	bool numa = syscall(SYS_set_mempolicy, MPOL_BIND, nodes, 1024) == 0;
	bool speculation = prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE, 0, 0) == 0;

	must(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0));
	wait_for_restore();
	CHECK_EQUAL(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_LATE);
	if (speculation)
		CHECK_EQUAL(prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0),
			    PR_SPEC_PRCTL | PR_SPEC_DISABLE);
	if (numa) {
		policy(&mode, nodes);
		CHECK_EQUAL(mode, MPOL_BIND);
		CHECK_EQUAL(nodes[0], 1);
	}
	return NULL;
}

int main(void)
{
	pthread_t thread;
	unsigned long nodes[16];
	int mode;

	must(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	pthread_create(&thread, NULL, other, NULL);

	checkpoint_with(1);

	CHECK_EQUAL(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
	if (syscall(SYS_get_mempolicy, &mode, nodes, 1024, NULL, 0) == 0)
		CHECK_EQUAL(mode, MPOL_DEFAULT);
	pthread_join(thread, NULL);
	return 0;
}
