// SPDX-License-Identifier: GPL-2.0-only
/* Readers of the kernel's messages go on with the message that would have been next; one that writes goes on, too. */
#include <poll.h>

#include "subject.h"

SUBJECT()

static unsigned long long read_number(int fd)
{
	char text[8192];
	ssize_t size;
	unsigned long long number;

	do
		size = read(fd, text, sizeof(text) - 1);
	while (size < 0 && errno == EPIPE);
	if (size < 0)
		return 0;
	text[size] = '\0';
	CHECK_EQUAL(sscanf(text, "%*u,%llu,", &number), 1);
	return number;
}

static bool has_more(int fd)
{
	struct pollfd state = { .fd = fd, .events = POLLIN };

	return poll(&state, 1, 0) > 0;
}

static void say(int fd, const char *text)
{
	CHECK_EQUAL(write(fd, text, strlen(text)), strlen(text));
}

int main(void)
{
	int first = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), middle, end, writer = open("/dev/kmsg", O_WRONLY), both;
	unsigned long long number, last = 0;

	if (first < 0 || writer < 0)
		skip("/dev/kmsg: %s", strerror(errno));
	say(writer, "<7>criu: a test of message one\n");
	say(writer, "<7>criu: a test of message two\n");
	middle = must(open("/dev/kmsg", O_RDONLY));
	number = read_number(middle);
	end = must(open("/dev/kmsg", O_RDONLY | O_NONBLOCK));
	both = must(open("/dev/kmsg", O_RDWR | O_NONBLOCK));
	while (has_more(end))
		last = read_number(end);
	must(lseek(both, 0, SEEK_END));

	checkpoint();

	CHECK_EQUAL(read_number(middle), number + 1);
	CHECK(read_number(first) <= number);
	CHECK_EQUAL(fcntl(end, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_EQUAL(fcntl(middle, F_GETFL) & O_NONBLOCK, 0);
	say(writer, "<7>criu: a test of message three\n");
	CHECK_EQUAL(read_number(end), last + 1);
	CHECK(read_number(both) >= last + 1);
	return 0;
}
