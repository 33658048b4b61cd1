// SPDX-License-Identifier: GPL-2.0-only
/* Messages that an io_uring waits to receive or to send come and go as they were asked for, although the memory by
 * which they were asked for has been used again. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "uring.h"

SUBJECT(.options = "--tcp-established", .ignore = "fd")

#define GROUP 7
#define SIZE  256

static struct uring u;
static char buffers[4][SIZE];

static struct io_uring_sqe *next(uint8_t opcode, int fd, const void *at, uint32_t size, uint64_t user_data)
{
	struct io_uring_sqe *sqe = uring_next(&u, user_data);

	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)at;
	sqe->len = size;
	return sqe;
}

static void submit(void)
{
	uring_put(&u);
	CHECK_EQUAL(uring_enter(&u, 1, 0), 1);
}

struct completion {
	uint64_t user_data;
	int res;
	uint32_t flags;
};

static struct completion take(void)
{
	struct completion cqe;

	CHECK_EQUAL(uring_enter(&u, 0, 1), 0);
	CHECK(uring_peek(&u) != NULL);
	memcpy(&cqe, uring_peek(&u), sizeof(cqe));
	__atomic_store_n(u.cq_head, *u.cq_head + 1, __ATOMIC_RELEASE);
	return cqe;
}

/* What waits for room may find more of it in a restored socket, and come to its end at any time. */
static int sent[4];

static struct completion expect(uint64_t user_data, int res)
{
	struct completion cqe = take();

	while (cqe.user_data >= 20 && cqe.user_data < 24) {
		sent[cqe.user_data - 20] = cqe.res;
		cqe = take();
	}
	CHECK_EQUAL(cqe.user_data, user_data);
	CHECK_EQUAL(cqe.res, res);
	return cqe;
}

static void expect_sent(unsigned i, int res)
{
	while (!sent[i]) {
		struct completion cqe = take();

		CHECK(cqe.user_data >= 20 && cqe.user_data < 24);
		sent[cqe.user_data - 20] = cqe.res;
	}
	CHECK_EQUAL(sent[i], res);
}

static int make_udp(struct sockaddr_in *name)
{
	socklen_t size = sizeof(*name);
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0));

	*name = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	must(bind(fd, (struct sockaddr *)name, size));
	must(getsockname(fd, (struct sockaddr *)name, &size));
	return fd;
}

static void send_to(int fd, const struct sockaddr_in *to, const char *text)
{
	CHECK_EQUAL(sendto(fd, text, strlen(text), 0, (const struct sockaddr *)to, sizeof(*to)), strlen(text));
}

static void connect_pair(int fds[2])
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(name);
	int listener = must(socket(AF_INET, SOCK_STREAM, 0));

	must(bind(listener, (struct sockaddr *)&name, size));
	must(listen(listener, 5));
	must(getsockname(listener, (struct sockaddr *)&name, &size));
	fds[0] = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(fds[0], (struct sockaddr *)&name, size));
	fds[1] = must(accept(listener, NULL, NULL));
	close(listener);
}

/* What fits. */
static size_t fill_up(int fd)
{
	static char block[1000];
	size_t all = 0;
	ssize_t n;

	while ((n = send(fd, block, sizeof(block), MSG_DONTWAIT)) > 0)
		all += (size_t)n;
	return all;
}

/* Reads until the text has come behind so much, and something has completed. */
static void drain(int fd, size_t filled, const char *text)
{
	static char block[4096];
	const size_t length = strlen(text), all = filled + length;
	char last[64];
	size_t got = 0;

	while (got < all) {
		ssize_t n = must(read(fd, block, all - got < sizeof(block) ? all - got : sizeof(block)));

		CHECK(n > 0);
		for (ssize_t i = 0; i < n; i++, got++)
			if (got >= filled)
				last[got - filled] = block[i];
	}
	last[length] = 0;
	CHECK_EQUAL(strcmp(last, text), 0);
}

static struct sockaddr_in names[3], from;
static int one, many, sender, tcp[2], stream[2], unix_pair[2], pipe_fds[2], full[2];
static char first[4], second[16], control[CMSG_SPACE(sizeof(int))];
static struct iovec parts[2] = { { first, 4 }, { second, 15 } };
static struct msghdr header = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = parts, .msg_iovlen = 2 };
static struct msghdr passed = {
	.msg_iov = &parts[1], .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
};
static size_t filled[4];

static void make_files(void)
{
	one = make_udp(&names[0]);
	many = make_udp(&names[1]);
	sender = make_udp(&names[2]);
	connect_pair(tcp);
	connect_pair(stream);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, unix_pair));
	must(pipe(pipe_fds));
	must(pipe(full));
}

static void check_one_of_many(const char *text)
{
	struct io_uring_recvmsg_out out;
	const int length = (int)strlen(text);
	struct completion cqe;
	const char *buffer;

	send_to(sender, &names[1], text);
	cqe = expect(12, (int)(sizeof(out) + sizeof(from)) + length);
	CHECK(cqe.flags & IORING_CQE_F_MORE && cqe.flags & IORING_CQE_F_BUFFER);
	buffer = buffers[cqe.flags >> IORING_CQE_BUFFER_SHIFT];
	memcpy(&out, buffer, sizeof(out));
	CHECK_EQUAL(out.namelen, sizeof(from));
	CHECK_EQUAL(out.payloadlen, length);
	CHECK_EQUAL(memcmp(buffer + sizeof(out) + sizeof(from), text, (size_t)length), 0);
}

/* One message; one with a descriptor; one after the other; pieces from a pipe. */
static void start_receives(void)
{
	struct msghdr of_many = { .msg_namelen = sizeof(from) };
	struct io_uring_sqe *sqe;

	next(IORING_OP_PROVIDE_BUFFERS, 4, buffers, SIZE, 1)->buf_group = GROUP;
	submit();
	expect(1, 0);
	next(IORING_OP_RECVMSG, one, &header, 1, 10);
	submit();
	next(IORING_OP_RECVMSG, unix_pair[0], &passed, 1, 11);
	submit();
	sqe = next(IORING_OP_RECVMSG, many, &of_many, 1, 12);
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->ioprio = IORING_RECV_MULTISHOT;
	sqe->buf_group = GROUP;
	submit();
	check_one_of_many("before");
	next(IORING_OP_READV, pipe_fds[0], parts, 2, 13);
	submit();
	of_many = (struct msghdr){ 0 };
}

/* What waits for room. */
static void start_sends(void)
{
	static char texts[][16] = { "by send", "in two", " pieces", "by write", "by writev" };
	struct iovec pieces[2] = { { texts[1], 6 }, { texts[2], 7 } }, written = { texts[4], 9 };
	struct msghdr sending = { .msg_iov = pieces, .msg_iovlen = 2 };
	char *block;

	filled[0] = fill_up(tcp[0]);
	next(IORING_OP_SEND, tcp[0], texts[0], 7, 20);
	submit();
	filled[1] = fill_up(stream[0]);
	next(IORING_OP_SENDMSG, stream[0], &sending, 1, 21);
	submit();
	filled[2] = fill_up(unix_pair[0]);
	next(IORING_OP_WRITE, unix_pair[0], texts[3], 8, 22);
	submit();
	filled[3] = (size_t)must(fcntl(full[1], F_GETPIPE_SZ));
	block = calloc(1, filled[3]);
	CHECK_EQUAL(write(full[1], block, filled[3]), filled[3]);
	free(block);
	next(IORING_OP_WRITEV, full[1], &written, 1, 23);
	submit();
	pieces[0] = pieces[1] = written = (struct iovec){ 0 };
	sending = (struct msghdr){ 0 };
}

static void check_message(void)
{
	header.msg_namelen = sizeof(from);
	send_to(sender, &names[0], "1234five");
	expect(10, 8);
	CHECK_EQUAL(memcmp(first, "1234", 4), 0);
	CHECK_EQUAL(strcmp(second, "five"), 0);
	CHECK_EQUAL(from.sin_port, names[2].sin_port);
	CHECK_EQUAL(header.msg_namelen, sizeof(from));
}

static void check_descriptor(void)
{
	char with[CMSG_SPACE(sizeof(int))] = "", letter = 'x';
	struct iovec part = { &letter, 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = with, .msg_controllen = sizeof(with)
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &sender, sizeof(int));
	memset(second, 0, sizeof(second));
	CHECK_EQUAL(sendmsg(unix_pair[1], &message, 0), 1);
	expect(11, 1);
	CHECK_EQUAL(second[0], 'x');
	CHECK_EQUAL(((struct cmsghdr *)control)->cmsg_type, SCM_RIGHTS);
}

static void check_pieces(void)
{
	memset(second, 0, sizeof(second));
	CHECK_EQUAL(write(pipe_fds[1], "pipewords", 9), 9);
	expect(13, 9);
	CHECK_EQUAL(memcmp(first, "pipe", 4), 0);
	CHECK_EQUAL(strcmp(second, "words"), 0);
}

static void check_sends(void)
{
	drain(tcp[1], filled[0], "by send");
	expect_sent(0, 7);
	drain(stream[1], filled[1], "in two pieces");
	expect_sent(1, 13);
	drain(unix_pair[1], filled[2], "by write");
	expect_sent(2, 8);
	drain(full[0], filled[3], "by writev");
	expect_sent(3, 9);
}

int main(void)
{
	struct iovec *unused = (struct iovec *)buffers;

	make_files();
	uring_make(&u, 16, 0);
	start_receives();
	start_sends();
	CHECK(uring_peek(&u) == NULL);
	/* All of that is the kernel's now. */
	header.msg_iov = passed.msg_iov = unused;
	header.msg_iovlen = 99;
	parts[0] = parts[1] = (struct iovec){ 0 };

	checkpoint();

	CHECK(header.msg_iov == unused && header.msg_iovlen == 99);
	check_message();
	check_one_of_many("many");
	check_one_of_many("many more");
	check_descriptor();
	check_pieces();
	check_sends();
	return 0;
}
