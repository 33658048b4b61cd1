/* SPDX-License-Identifier: LGPL-2.1-only */
/* How many addresses a program of aarch64 may have: 36 to 52 bits, as the kernel was configured. */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch_regs.h"
#include "base/array.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static uint64_t limit;

/* Beyond the end there is ENOMEM; what lies there already is left alone. */
static bool may_have(uint64_t address, size_t page)
{
	void *at = mmap((void *)address, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at == MAP_FAILED)
		return errno == EEXIST;
	munmap(at, page);
	return true;
}

static void find_limit(void)
{
	static const unsigned bits[] = { 52, 48, 47, 42, 39, 36 };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (unsigned i = 0; i < ARRAY_SIZE(bits) && !limit; i++)
		if (may_have((1ull << bits[i]) - page, page))
			limit = 1ull << bits[i];
}

uint64_t arch_address_limit(bool compat)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_limit);
	return limit;
}
