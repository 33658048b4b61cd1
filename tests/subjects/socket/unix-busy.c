// SPDX-License-Identifier: GPL-2.0-only
/* Processes that talk without a pause, through sockets of all types, and with descriptors: no message is lost, none
 * comes twice. */
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/un.h>

#include "rights.h"

SUBJECT(.ignore = "fd", .seconds = 60)

struct line {
	int type, ends[2];
	bool rights;
};

static struct line lines[] = {
	{ .type = SOCK_STREAM },
	{ .type = SOCK_DGRAM },
	{ .type = SOCK_SEQPACKET },
	{ .type = SOCK_SEQPACKET, .rights = true },
};

#define N_LINES (ARRAY_SIZE(lines))
#define AFTER	500
#define LAST	UINT32_MAX

static void send_number(const struct line *line, uint32_t number)
{
	int fd;

	if (!line->rights || number == LAST) {
		CHECK_EQUAL(send(line->ends[0], &number, sizeof(number), 0), sizeof(number));
		return;
	}
	fd = eventfd(number, 0);
	CHECK(fd >= 0);
	send_one(line->ends[0], fd);
	CHECK(!close(fd));
}

static int talk(void *arg)
{
	const struct line *line = arg;
	uint32_t number = 1;

	announce_waiter();
	for (unsigned left = AFTER; left; number++) {
		send_number(line, number);
		if (is_restored())
			left--;
	}
	send_number(line, LAST);
	return 0;
}

/* Returns LAST at the end. */
static uint32_t receive_number(const struct line *line)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	uint32_t number = 0;
	struct iovec iov = { &number, sizeof(number) };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	ssize_t size = recvmsg(line->ends[1], &message, MSG_WAITALL);
	uint64_t value;
	int fd;

	if (!line->rights || number == LAST) {
		CHECK_EQUAL(size, sizeof(number));
		return number;
	}
	CHECK_EQUAL(size, 2);
	CHECK(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	CHECK_EQUAL(read(fd, &value, sizeof(value)), sizeof(value));
	CHECK(!close(fd));
	return (uint32_t)value;
}

static int listen_to(void *arg)
{
	const struct line *line = arg;
	uint32_t number, wanted = 1;

	announce_waiter();
	while ((number = receive_number(line)) != LAST)
		CHECK_EQUAL(number, wanted++);
	CHECK(wanted > AFTER);
	return 0;
}

int main(void)
{
	pid_t pids[2 * N_LINES];

	for (size_t i = 0; i < N_LINES; i++)
		must(socketpair(AF_UNIX, lines[i].type, 0, lines[i].ends));
	for (size_t i = 0; i < N_LINES; i++) {
		pids[2 * i] = start_child(talk, &lines[i]);
		pids[2 * i + 1] = start_child(listen_to, &lines[i]);
	}

	checkpoint_with(2 * N_LINES);

	for (size_t i = 0; i < 2 * N_LINES; i++)
		join_child(pids[i], 0);
	return 0;
}
