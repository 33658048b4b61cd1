// SPDX-License-Identifier: GPL-2.0-only
/* Data in a connection that waits for accept(2) cannot be read without taking it: a dump that leaves the tasks running
 * is refused. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

SUBJECT(.dump_options = "--leave-running", .ways = "untouched unharmed",
	.refused = "still waits for accept.*--leave-running")

int main(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0early" };
	socklen_t size = offsetof(struct sockaddr_un, sun_path) + 6;
	int listener = must(socket(AF_UNIX, SOCK_STREAM, 0)), client = must(socket(AF_UNIX, SOCK_STREAM, 0));
	char text[8];

	must(bind(listener, (struct sockaddr *)&address, size));
	must(listen(listener, 1));
	must(connect(client, (struct sockaddr *)&address, size));
	CHECK_EQUAL(send(client, "early", 5, 0), 5);

	checkpoint();

	CHECK_EQUAL(recv(accept(listener, NULL, NULL), text, sizeof(text), 0), 5);
	return 0;
}
