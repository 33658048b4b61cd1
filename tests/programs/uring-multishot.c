// SPDX-License-Identifier: GPL-2.0-only
/* usage: uring-multishot PORT: sends back what it gets, by liburing as servers use it for speed: one request accepts
 * all connections, one for each connection receives all, into buffers that the kernel takes from a ring. */
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM  256
#define SIZE  4096
#define GROUP 7

enum work { ACCEPT, RECEIVE, SEND };

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char memory[ROOM][SIZE];

static void give(unsigned number)
{
	io_uring_buf_ring_add(buffers, memory[number], SIZE, (unsigned short)number, ROOM - 1, 0);
	io_uring_buf_ring_advance(buffers, 1);
}

static struct io_uring_sqe *next_request(enum work work, int fd, unsigned number)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	memset(sqe, 0, sizeof(*sqe));
	sqe->user_data = (unsigned long)work << 56 | (unsigned long)number << 32 | (unsigned)fd;
	return sqe;
}

static void receive(int fd)
{
	struct io_uring_sqe *sqe = next_request(RECEIVE, fd, 0);
	const unsigned long user_data = sqe->user_data;

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->user_data = user_data;
}

static void accept_all(int fd)
{
	struct io_uring_sqe *sqe = next_request(ACCEPT, fd, 0);
	const unsigned long user_data = sqe->user_data;

	io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, 0);
	sqe->user_data = user_data;
}

static void send_back(int fd, unsigned number, unsigned size)
{
	struct io_uring_sqe *sqe = next_request(SEND, fd, number);
	const unsigned long user_data = sqe->user_data;

	io_uring_prep_send(sqe, fd, memory[number], size, MSG_WAITALL);
	sqe->user_data = user_data;
}

static void go_on(const struct io_uring_cqe *cqe)
{
	const unsigned number = cqe->user_data >> 32 & 0xffffff;
	const int fd = (int)cqe->user_data;

	switch (cqe->user_data >> 56) {
	case ACCEPT:
		if (cqe->res >= 0)
			receive(cqe->res);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			accept_all(fd);
		break;
	case RECEIVE:
		if (cqe->res > 0)
			send_back(fd, cqe->flags >> IORING_CQE_BUFFER_SHIFT, (unsigned)cqe->res);
		else if (cqe->res != -ENOBUFS)
			close(fd);
		if (!(cqe->flags & IORING_CQE_F_MORE) && (cqe->res > 0 || cqe->res == -ENOBUFS))
			receive(fd);
		break;
	case SEND:
		give(number);
		break;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct io_uring_buf_reg reg = { .ring_entries = ROOM, .bgid = GROUP };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct io_uring_cqe *cqe;

	if (argc != 2)
		return 2;
	address.sin_port = htons((unsigned short)atoi(argv[1]));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0)
		return 1;
	if (io_uring_queue_init(64, &ring, 0) < 0)
		return 1;
	buffers = mmap(NULL, ROOM * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	reg.ring_addr = (unsigned long)buffers;
	if (buffers == MAP_FAILED || io_uring_register_buf_ring(&ring, &reg, 0) < 0)
		return 1;
	for (unsigned i = 0; i < ROOM; i++)
		give(i);
	accept_all(fd);
	while (io_uring_submit_and_wait(&ring, 1) >= 0 || errno == EINTR) {
		unsigned head, n = 0;

		io_uring_for_each_cqe(&ring, head, cqe)
		{
			go_on(cqe);
			n++;
		}
		io_uring_cq_advance(&ring, n);
	}
	return 1;
}
