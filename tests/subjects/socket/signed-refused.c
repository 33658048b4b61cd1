// SPDX-License-Identifier: GPL-2.0-only
/* A listener that takes signed connections only (RFC 2385): without the keys it would take those of anybody. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT(.refused = "signed \\(TCP_MD5SIG\\)")

int main(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
				    .sin_port = htons(4567),
				    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int listener = must(socket(AF_INET, SOCK_STREAM, 0)), client = must(socket(AF_INET, SOCK_STREAM, 0));
	struct tcp_md5sig key = { .tcpm_keylen = 6, .tcpm_key = "secret" };

	memcpy(&key.tcpm_addr, &here, sizeof(here));
	must(bind(listener, (struct sockaddr *)&here, sizeof(here)));
	if (setsockopt(listener, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof(key)) < 0 && errno == ENOPROTOOPT)
		skip("this kernel does not sign packets of TCP");
	must(listen(listener, 5));

	checkpoint();

	must(fcntl(client, F_SETFL, O_NONBLOCK));
	CHECK(connect(client, (struct sockaddr *)&here, sizeof(here)) == -1 && errno == EINPROGRESS);
	must(fcntl(listener, F_SETFL, O_NONBLOCK));
	CHECK(accept(listener, NULL, NULL) == -1 && errno == EAGAIN);
	return 0;
}
