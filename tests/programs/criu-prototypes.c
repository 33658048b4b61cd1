// SPDX-License-Identifier: GPL-2.0-only
/* Declares all functions of libcriu itself, as the interface has them, in C and in C++; -DFUNCTIONS is the file with
 * the declarations. */
#include <criu/criu.h>

#ifdef __cplusplus
extern "C" {
#endif
#include FUNCTIONS
#ifdef __cplusplus
}
#endif

int main(void)
{
	return criu_init_opts();
}
