/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Moves a live TCP connection from one process to another; the other side notices nothing but a pause.
 *
 *	soccr-move PID FD PROGRAM [ARGUMENTS]	runs PROGRAM with the connection as standard input and output
 *
 * Packets are kept away while the connection has no socket, by an nftables table that the kernel removes when this
 * program ends, however it ends. The old process keeps a descriptor, but of a socket that is closed for both
 * directions.
 */
#include <errno.h>
#include <nftables/libnftables.h>
#include <netdb.h>
#include <soccr.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void print_log(unsigned int level, const char *format, ...)
{
	va_list args;

	(void)level;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}

_Noreturn static void give_up(const char *what)
{
	fprintf(stderr, "soccr-move: %s: %s\n", what, strerror(errno));
	exit(1);
}

struct moved_connection {
	union libsoccr_addr self, peer;
	struct libsoccr_sk_data data;
	char *in, *out;
};

static socklen_t size_of(const union libsoccr_addr *addr)
{
	return addr->sa.sa_family == AF_INET6 ? sizeof(addr->v6) : sizeof(addr->v4);
}

static void read_names(int fd, struct moved_connection *connection)
{
	socklen_t size = sizeof(connection->self);

	if (getsockname(fd, &connection->self.sa, &size) < 0)
		give_up("getsockname");
	size = sizeof(connection->peer);
	if (getpeername(fd, &connection->peer.sa, &size) < 0)
		give_up("getpeername");
}

#define HOST_ROOM 64 /* an IPv6 address with the name of a device */
#define PORT_ROOM 8

static void print_name(const union libsoccr_addr *addr, char *host, char *port)
{
	const char *v4 = "::ffff:";

	if (getnameinfo(&addr->sa, size_of(addr), host, HOST_ROOM, port, PORT_ROOM, NI_NUMERICHOST | NI_NUMERICSERV))
		give_up("getnameinfo");
	if (!strncmp(host, v4, strlen(v4)) && strchr(host, '.'))
		memmove(host, host + strlen(v4), strlen(host + strlen(v4)) + 1);
}

/* Both directions, but for packets of the library itself. */
static struct nft_ctx *block_connection(const struct moved_connection *connection)
{
	char self[HOST_ROOM], self_port[PORT_ROOM], peer[HOST_ROOM], peer_port[PORT_ROOM], rules[1024];
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	const char *family;

	print_name(&connection->self, self, self_port);
	print_name(&connection->peer, peer, peer_port);
	family = strchr(self, ':') ? "ip6" : "ip";
	snprintf(rules, sizeof(rules),
		 "table inet soccr-move-%d { flags owner; chain input { type filter hook input priority 0; meta mark "
		 "!= %d %s saddr %s tcp "
		 "sport %s %s daddr %s tcp dport %s drop; }; chain output { type filter hook output priority 0; meta "
		 "mark != %d "
		 "%s saddr %s tcp sport %s %s daddr %s tcp dport %s drop; }; }\n",
		 getpid(), SOCCR_MARK, family, peer, peer_port, family, self, self_port, SOCCR_MARK, family, self,
		 self_port, family, peer, peer_port);
	if (!nft || nft_run_cmd_from_buffer(nft, rules)) {
		errno = EIO;
		give_up("cannot keep packets away");
	}
	return nft;
}

/* From here on only we know the connection. */
static void take_out(int fd, struct moved_connection *connection)
{
	struct libsoccr_sk *sk = libsoccr_pause(fd);

	if (!sk)
		give_up("cannot pause the connection");
	if (libsoccr_save(sk, &connection->data, sizeof(connection->data)) < 0) {
		libsoccr_resume(sk);
		give_up("cannot save the connection");
	}
	connection->in = libsoccr_get_queue_bytes(sk, TCP_RECV_QUEUE, SOCCR_MEM_EXCL);
	connection->out = libsoccr_get_queue_bytes(sk, TCP_SEND_QUEUE, SOCCR_MEM_EXCL);
	libsoccr_release(sk);
	/* The old process has a descriptor as well: disconnecting frees the address, and in repair mode nobody is told.
	 */
	if (connect(fd, &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr)) < 0)
		give_up("cannot disconnect the old socket");
	close(fd);
}

static int put_in(struct moved_connection *connection, struct nft_ctx *nft)
{
	int fd = socket(connection->self.sa.sa_family, SOCK_STREAM, IPPROTO_TCP);
	struct libsoccr_sk *sk = fd < 0 ? NULL : libsoccr_pause(fd);

	if (!sk)
		give_up("cannot make a new socket");
	libsoccr_set_addr(sk, 1, &connection->self, 0);
	libsoccr_set_addr(sk, 0, &connection->peer, 0);
	libsoccr_set_queue_bytes(sk, TCP_RECV_QUEUE, connection->in, SOCCR_MEM_EXCL);
	libsoccr_set_queue_bytes(sk, TCP_SEND_QUEUE, connection->out, SOCCR_MEM_EXCL);
	if (libsoccr_restore(sk, &connection->data, sizeof(connection->data)) < 0)
		give_up("cannot restore the connection");
	nft_ctx_free(nft);
	libsoccr_resume(sk);
	return fd;
}

int main(int argc, char **argv)
{
	struct moved_connection connection = { 0 };
	struct nft_ctx *nft;
	int process, fd;

	if (argc < 4) {
		fprintf(stderr, "usage: soccr-move PID FD PROGRAM [ARGUMENTS]\n");
		return 2;
	}
	libsoccr_set_log(SOCCR_LOG_ERR, print_log);
	process = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	fd = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, atoi(argv[2]), 0);
	if (fd < 0)
		give_up("cannot take the descriptor");
	read_names(fd, &connection);
	nft = block_connection(&connection);
	take_out(fd, &connection);
	fd = put_in(&connection, nft);
	if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		give_up("dup2");
	close(fd);
	execvp(argv[3], argv + 3);
	give_up(argv[3]);
}
