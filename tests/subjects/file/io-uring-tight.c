// SPDX-License-Identifier: GPL-2.0-only
/* Rings that have no more room for completions than for requests, with and without unread ones, whoever may use them.
 */
#include "uring.h"

SUBJECT()

#define ENTRIES 4

static const uint32_t setups[] = { 0, IORING_SETUP_SINGLE_ISSUER,
				   IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
					   IORING_SETUP_COOP_TASKRUN };
static struct uring rings[ARRAY_SIZE(setups)][ENTRIES + 1]; /* with so many unread completions */

static void start(struct uring *u, uint32_t setup, unsigned unread)
{
	if (!uring_try(u, ENTRIES, setup | IORING_SETUP_CQSIZE, ENTRIES))
		skip("io_uring_setup: %s", strerror(errno));
	for (unsigned i = 0; i < 7; i++) {
		uring_nops(u, 1, i);
		uring_take(u, 1, i);
	}
	uring_nops(u, unread, 10);
}

static void check(struct uring *u, unsigned unread)
{
	uring_take(u, unread, 10);
	CHECK(uring_peek(u) == NULL);
	uring_nops(u, ENTRIES, 20);
	uring_take(u, ENTRIES, 20);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(setups); i++)
		for (unsigned unread = 0; unread <= ENTRIES; unread++)
			start(&rings[i][unread], setups[i], unread);

	checkpoint();

	for (size_t i = 0; i < ARRAY_SIZE(setups); i++)
		for (unsigned unread = 0; unread <= ENTRIES; unread++)
			check(&rings[i][unread], unread);
	return 0;
}
