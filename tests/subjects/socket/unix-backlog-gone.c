// SPDX-License-Identifier: GPL-2.0-only
/* Clients that ended before they were accepted: what they wrote is there, then the end of file; also if one wrote
 * nothing. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "subject.h"

/* A dump that leaves the tasks running cannot look inside. */
SUBJECT(.not_ways = "unharmed left")

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
static const char *const texts[] = { "first", NULL, "third" };
#define N_TEXTS (ARRAY_SIZE(texts))

static int make_listener(int type)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t size =
		offsetof(struct sockaddr_un, sun_path) + 1 + (socklen_t)sprintf(name.sun_path + 1, "gone %d", type);
	int listener = must(socket(AF_UNIX, type, 0));

	must(bind(listener, (struct sockaddr *)&name, size));
	must(listen(listener, N_TEXTS));
	for (size_t i = 0; i < N_TEXTS; i++) {
		int client = must(socket(AF_UNIX, type, 0));

		must(connect(client, (struct sockaddr *)&name, size));
		if (texts[i])
			CHECK_EQUAL(send(client, texts[i], strlen(texts[i]), 0), strlen(texts[i]));
		must(close(client));
	}
	must(fcntl(listener, F_SETFL, O_NONBLOCK));
	return listener;
}

static void check(int listener)
{
	char text[16] = "";

	for (size_t i = 0; i < N_TEXTS; i++) {
		int fd = must(accept(listener, NULL, NULL));

		if (texts[i]) {
			CHECK_EQUAL(recv(fd, text, sizeof(text), MSG_DONTWAIT), strlen(texts[i]));
			CHECK(!memcmp(text, texts[i], strlen(texts[i])));
		}
		CHECK_EQUAL(recv(fd, text, sizeof(text), MSG_DONTWAIT), 0);
		must(close(fd));
	}
	CHECK(accept(listener, NULL, NULL) == -1 && errno == EAGAIN);
}

int main(void)
{
	int listeners[2];

	for (int i = 0; i < 2; i++)
		listeners[i] = make_listener(types[i]);

	checkpoint();

	for (int i = 0; i < 2; i++)
		check(listeners[i]);
	return 0;
}
