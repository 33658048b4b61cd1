// SPDX-License-Identifier: GPL-2.0-only
/* A program that uses libsoccr, in C and in C++: prints the size of its data, a constant, and what calls in vain
 * return. */
#include <soccr.h>
#include <stdio.h>

int main(void)
{
	struct libsoccr_sk_data data = { .state = 1, .flags = SOCCR_FLAGS_WINDOW };

	libsoccr_set_log(SOCCR_LOG_ERR, 0);
	printf("%d %d %d %d\n", (int)sizeof(data), SOCCR_MARK, libsoccr_pause(-1) == 0,
	       libsoccr_save(0, &data, sizeof(data)));
	return 0;
}
