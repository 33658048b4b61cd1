// SPDX-License-Identifier: GPL-2.0-only
/* An urgent byte in a receive queue, which was read by itself already: reading ends in front of it, and what is behind
 * it must not be lost. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "subject.h"
#include "tools.h"

/* What lies in queues is not looked at before the dump. */
SUBJECT(.options = "--tcp-established", .ignore = "preflight", .refused = "urgent data \\(MSG_OOB\\) waits in it")

int main(void)
{
	struct tcp_pair pair = connect_over_loopback();
	char text[8];

	CHECK_EQUAL(send(pair.client, "abc", 3, MSG_OOB), 3);
	CHECK_EQUAL(send(pair.client, "de", 2, 0), 2);
	while (recv(pair.server, text, 1, MSG_OOB) != 1)
		;
	CHECK_EQUAL(text[0], 'c');

	checkpoint();

	CHECK_EQUAL(recv(pair.server, text, sizeof(text), 0), 2);
	CHECK_EQUAL(recv(pair.server, text, sizeof(text), 0), 2);
	CHECK_EQUAL(text[0], 'd');
	return 0;
}
