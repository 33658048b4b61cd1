// SPDX-License-Identifier: GPL-2.0-only
/* Multipath TCP is refused by name. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.refused = "descriptor [0-9]+.*Multipath TCP cannot be saved")

int main(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP), protocol = 0;
	socklen_t size = sizeof(protocol);

	if (fd < 0)
		skip("this kernel has no Multipath TCP");

	checkpoint();

	CHECK_EQUAL(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size), 0);
	CHECK_EQUAL(protocol, IPPROTO_MPTCP);
	return 0;
}
