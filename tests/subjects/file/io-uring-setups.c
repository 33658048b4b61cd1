// SPDX-License-Identifier: GPL-2.0-only
/* An io_uring keeps how it was set up: sizes of its rings, of requests and completions, who may use it and when. */
#include "uring.h"

#define SETUP_NO_SQARRAY (1u << 16) /* Linux 6.6 */
#define SETUP_CQE_MIXED	 (1u << 18) /* Linux 6.18 */

SUBJECT()

static const struct {
	unsigned entries, completions;
	uint32_t flags;
} setups[] = {
	{ 4, 0, 0 },
	{ 1, 0, 0 },
	{ 4, 64, IORING_SETUP_CQSIZE },
	{ 5, 9, IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP },
	{ 128, 0, IORING_SETUP_SQE128 },
	{ 16, 0, IORING_SETUP_CQE32 },
	{ 16, 0, IORING_SETUP_CQE32 | IORING_SETUP_SQE128 | IORING_SETUP_SUBMIT_ALL },
	{ 16, 0, IORING_SETUP_IOPOLL },
	{ 16, 0, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG },
	{ 16, 0, IORING_SETUP_SINGLE_ISSUER },
	{ 16, 0, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN },
	{ 16, 0, SETUP_NO_SQARRAY },
	{ 16, 32, SETUP_NO_SQARRAY | IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN },
	{ 16, 0, SETUP_CQE_MIXED },
	{ 4096, 0, 0 },
};

int main(void)
{
	static struct uring rings[ARRAY_SIZE(setups)];
	static bool there[ARRAY_SIZE(setups)];
	struct uring disabled;

	for (unsigned i = 0; i < ARRAY_SIZE(setups); i++) {
		there[i] = uring_try(&rings[i], setups[i].entries, setups[i].flags, setups[i].completions);
		if (!there[i])
			continue;
		uring_nops(&rings[i], 2, 100 * i);
		uring_take(&rings[i], 1, 100 * i);
		for (unsigned k = 0; k < 10; k++) {
			uring_nops(&rings[i], 1, 1);
			__atomic_store_n(rings[i].cq_head, *rings[i].cq_head + 1, __ATOMIC_RELEASE);
		}
	}
	CHECK(there[0]);
	uring_make(&disabled, 8, IORING_SETUP_R_DISABLED);

	checkpoint();

	for (unsigned i = 0; i < ARRAY_SIZE(setups); i++) {
		if (!there[i])
			continue;
		CHECK_EQUAL(*rings[i].sq_head, 12);
		uring_take(&rings[i], 1, 1);
		uring_nops(&rings[i], 2, 7);
		uring_take(&rings[i], 2, 7);
		CHECK(uring_peek(&rings[i]) == NULL);
	}
	uring_next(&disabled, 1);
	uring_put(&disabled);
	CHECK(uring_enter(&disabled, 1, 0) == -1 && errno == EBADFD);
	CHECK_EQUAL(syscall(SYS_io_uring_register, disabled.fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0), 0);
	CHECK_EQUAL(uring_enter(&disabled, 1, 0), 1);
	uring_take(&disabled, 1, 1);
	return 0;
}
