// SPDX-License-Identifier: GPL-2.0-only
/* An established connection is refused without an option that says what to do with it. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.refused = "fd [0-9]+ is an established TCP connection.*--tcp-established.*--tcp-close")

int main(void)
{
	struct tcp_pair pair = connect_over_loopback();
	char text[8];

	checkpoint();

	CHECK_EQUAL(send(pair.client, "here", 4, 0), 4);
	CHECK_EQUAL(recv(pair.server, text, 4, 0), 4);
	return 0;
}
