// SPDX-License-Identifier: GPL-2.0-only
/* A descriptor of secret memory, which nobody has mapped: refused for what it is, not for its name. */
#include "subject.h"

SUBJECT(.refused = "secret memory", .options = "--link-remap")

int main(void)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);

	if (fd < 0)
		skip("memfd_secret: %s", strerror(errno));
	checkpoint();
	return 0;
}
