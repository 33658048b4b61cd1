// SPDX-License-Identifier: GPL-2.0-only
/* usage: uring-echo PORT [SETUP-FLAGS]: sends back what it gets, all by liburing, for any number of connections. */
#include <liburing.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum work { ACCEPT, RECEIVE, SEND };

struct connection {
	int fd;
	enum work work;
	size_t got, sent;
	char data[4096];
};

static struct io_uring ring;

static struct io_uring_sqe *next_request(struct connection *connection, enum work work)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		io_uring_submit(&ring);
		sqe = io_uring_get_sqe(&ring);
	}
	connection->work = work;
	return sqe;
}

static void receive(struct connection *connection)
{
	struct io_uring_sqe *sqe = next_request(connection, RECEIVE);

	io_uring_prep_recv(sqe, connection->fd, connection->data, sizeof(connection->data), 0);
	io_uring_sqe_set_data(sqe, connection);
}

static void send_rest(struct connection *connection)
{
	struct io_uring_sqe *sqe = next_request(connection, SEND);

	io_uring_prep_send(sqe, connection->fd, connection->data + connection->sent, connection->got - connection->sent,
			   0);
	io_uring_sqe_set_data(sqe, connection);
}

static void accept_next(struct connection *listener)
{
	struct io_uring_sqe *sqe = next_request(listener, ACCEPT);

	io_uring_prep_accept(sqe, listener->fd, NULL, NULL, 0);
	io_uring_sqe_set_data(sqe, listener);
}

static void begin(int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	connection->fd = fd;
	receive(connection);
}

static void go_on(struct connection *connection, int result)
{
	if (connection->work == ACCEPT) {
		if (result >= 0)
			begin(result);
		accept_next(connection);
		return;
	}
	if (result <= 0) {
		close(connection->fd);
		free(connection);
		return;
	}
	if (connection->work == RECEIVE) {
		connection->got = (size_t)result;
		connection->sent = 0;
	} else {
		connection->sent += (size_t)result;
	}
	if (connection->sent < connection->got)
		send_rest(connection);
	else
		receive(connection);
}

static int open_listener(int port)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, 100) < 0 ? -1 : fd;
}

int main(int argc, char **argv)
{
	struct connection listener = { .fd = argc > 1 ? open_listener(atoi(argv[1])) : -1 };
	struct io_uring_cqe *cqe;
	int error = 0;

	if (listener.fd < 0 || io_uring_queue_init(64, &ring, argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 0) < 0) {
		perror(argv[0]);
		return 1;
	}
	io_uring_register_ring_fd(&ring);
	accept_next(&listener);
	while (error >= 0) {
		error = io_uring_submit_and_wait(&ring, 1);
		while (io_uring_peek_cqe(&ring, &cqe) == 0) {
			struct connection *connection = io_uring_cqe_get_data(cqe);
			int result = cqe->res;

			io_uring_cqe_seen(&ring, cqe);
			go_on(connection, result);
		}
	}
	fprintf(stderr, "%s: %s\n", argv[0], strerror(-error));
	return 1;
}
