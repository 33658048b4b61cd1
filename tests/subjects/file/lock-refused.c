// SPDX-License-Identifier: GPL-2.0-only
/* Without --file-locks a lock is refused. */
#include <sys/file.h>

#include "subject.h"

SUBJECT(.refused = "file-locks")

int main(void)
{
	must(flock(must(open("data", O_RDWR | O_CREAT, 0600)), LOCK_EX));
	checkpoint();
	return 0;
}
