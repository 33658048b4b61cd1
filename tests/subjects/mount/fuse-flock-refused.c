// SPDX-License-Identifier: GPL-2.0-only
/* A lock that the server of a FUSE file system in the tree keeps itself (FUSE_FLOCK_LOCKS) cannot be given back to it.
 */
#include <sys/file.h>

#include "fuse-server.h"

SUBJECT(.refused = "it is locked at its server")

static void answer_request(int fd, const struct fuse_request *request)
{
	fuse_answer_as_one_file(fd, request, FUSE_FLOCK_LOCKS);
}

int main(void)
{
	pid_t server = fuse_start(answer_request);
	int fd = must(open("mnt/file", O_RDWR));

	must(flock(fd, LOCK_EX));

	checkpoint();

	must(flock(fd, LOCK_UN));
	must(close(fd));
	fuse_end(server);
	return 0;
}
