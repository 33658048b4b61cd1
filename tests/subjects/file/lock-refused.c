// SPDX-License-Identifier: GPL-2.0-only
/* Without --file-locks a lock is refused, by name, also where the file was seen before. */
#include <sys/file.h>

#include "subject.h"

SUBJECT(.refused = "lock of /.*/data: --file-locks")

int main(void)
{
	int fd = must(open("data", O_RDWR | O_CREAT, 0600));
	struct flock lock = { .l_type = F_WRLCK };

	must(dup(must(dup(fd))));
	must(fcntl(fd, F_SETLK, &lock));
	must(flock(fd, LOCK_EX));
	checkpoint();
	return 0;
}
