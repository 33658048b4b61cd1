// SPDX-License-Identifier: GPL-2.0-only
/* A connection with TLS in the kernel is refused by name. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.options = "--tcp-established", .refused = "descriptor [0-9]+.*\"tls\" in the kernel cannot be saved")

int main(void)
{
	struct tcp_pair pair = connect_over_loopback();
	char text[8];

	if (setsockopt(pair.client, IPPROTO_TCP, TCP_ULP, "tls", 4) < 0)
		skip("this kernel has no TLS");

	checkpoint();

	CHECK_EQUAL(send(pair.client, "here", 4, 0), 4);
	CHECK_EQUAL(recv(pair.server, text, 4, 0), 4);
	return 0;
}
