// SPDX-License-Identifier: GPL-2.0-only
/* Areas without any access keep their content, and stay without access. */
#include "subject.h"

#include <setjmp.h>

SUBJECT()

#define SIZE (8 * 4096)

static sigjmp_buf back;

static void on_segv(int signal)
{
	siglongjmp(back, 1);
}

static bool is_readable(volatile const uint8_t *byte)
{
	if (sigsetjmp(back, 1))
		return false;
	(void)*byte;
	return true;
}

int main(void)
{
	uint8_t *hidden = must(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *reserved = must(mmap(NULL, 1UL << 32, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	fill(hidden, SIZE, 1);
	must(mprotect(hidden, SIZE, PROT_NONE));
	must(mprotect(reserved + (1UL << 31), SIZE, PROT_READ | PROT_WRITE));
	fill(reserved + (1UL << 31), SIZE, 2);
	signal(SIGSEGV, on_segv);

	checkpoint();

	CHECK(!is_readable(hidden));
	CHECK(!is_readable(reserved));
	CHECK(!is_readable(reserved + (1UL << 31) + SIZE));
	check_filled(reserved + (1UL << 31), SIZE, 2);
	must(mprotect(hidden, SIZE, PROT_READ));
	check_filled(hidden, SIZE, 1);
	return 0;
}
