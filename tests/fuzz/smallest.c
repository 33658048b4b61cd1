// SPDX-License-Identifier: GPL-2.0-only
/* A fuzz target that does nothing: tells whether clang has libFuzzer here. */
#include <stddef.h>

int LLVMFuzzerTestOneInput(const char *data, size_t size);

int LLVMFuzzerTestOneInput(const char *data, size_t size)
{
	return 0;
}
