// SPDX-License-Identifier: GPL-2.0-only
/* TCP connections keep urgent data, their options and what the handshake agreed upon; bound sockets keep device, filter
 * and owner. */
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "subject.h"
#include "tools.h"

SUBJECT(.options = "--tcp-established")

static const struct {
	int level, name, value, shown;
} kept[] = {
	{ SOL_SOCKET, SO_KEEPALIVE, 1, 1 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 33, 33 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 7, 7 },
	{ IPPROTO_TCP, TCP_KEEPCNT, 4, 4 },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, 9000, 9000 },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, 12345, 12345 },
	{ IPPROTO_TCP, TCP_NODELAY, 1, 1 },
	{ IPPROTO_IP, IP_TOS, 0x10, 0x10 },
	{ IPPROTO_IP, IP_TTL, 17, 17 },
	{ IPPROTO_IP, IP_RECVTTL, 1, 1 },
	{ SOL_SOCKET, SO_PRIORITY, 5, 5 },
	{ SOL_SOCKET, SO_MARK, 77, 77 },
	{ SOL_SOCKET, SO_RCVLOWAT, 3, 3 },
	{ SOL_SOCKET, SO_SNDBUF, 50000, 100000 },
	{ SOL_SOCKET, SO_TIMESTAMPNS, 1, 1 },
};

#define N_KEPT (ARRAY_SIZE(kept))

struct couple {
	int client, server;
};

/* mss: what the client announces; 0: as usual. */
static struct couple build(int mss)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = must(socket(AF_INET, SOCK_STREAM, 0));
	struct couple c;

	must(bind(listener, (struct sockaddr *)&address, size));
	must(listen(listener, 1));
	must(getsockname(listener, (struct sockaddr *)&address, &size));
	c.client = must(socket(AF_INET, SOCK_STREAM, 0));
	if (mss)
		set_socket_option(c.client, IPPROTO_TCP, TCP_MAXSEG, mss);
	must(connect(c.client, (struct sockaddr *)&address, size));
	c.server = must(accept(listener, NULL, NULL));
	close(listener);
	return c;
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	must(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size));
	return info;
}

/* The segment size is worked out when data flows. */
static void talk(int from, int to)
{
	char text[512] = "";

	CHECK_EQUAL(send(from, text, sizeof(text), 0), sizeof(text));
	CHECK_EQUAL(recv(to, text, sizeof(text), MSG_WAITALL), sizeof(text));
}

static int bound_udp(const char *device)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct sock_filter accept_all[] = { { BPF_RET | BPF_K, 0, 0, 0xffff } };
	struct sock_fprog program = { 1, accept_all };
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0));

	must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, 3));
	must(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	must(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

/* Bound to an address that this machine does not have. */
static int transparent(struct sockaddr_in *name)
{
	int fd = must(socket(AF_INET, SOCK_STREAM, 0));
	socklen_t size = sizeof(*name);

	*name = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xcb007105) };
	set_socket_option(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
	must(bind(fd, (struct sockaddr *)name, size));
	must(listen(fd, 3));
	must(getsockname(fd, (struct sockaddr *)name, &size));
	return fd;
}

static void check_congestion(int fd)
{
	char name[16] = "";
	socklen_t size = sizeof(name);

	must(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size));
	CHECK(!strcmp(name, "reno"));
}

/* Behind urgent data criu looks with the help of SO_PEEK_OFF, which TCP has since Linux 6.9. */
static int urgent_flag(int fd)
{
	const int off = -1;

	return setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)) < 0 ? 0 : MSG_OOB;
}

int main(void)
{
	struct couple plain = build(0), narrow = build(700), urgent = build(0);
	struct tcp_info before[2], after[2];
	struct sockaddr_in name, now;
	int udp = bound_udp("lo"), odd = transparent(&name), none = 0;
	struct sock_filter filter[4];
	socklen_t size = 4;
	char text[32];

	for (size_t i = 0; i < N_KEPT; i++)
		set_socket_option(plain.client, kept[i].level, kept[i].name, kept[i].value);
	must(setsockopt(plain.client, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	set_socket_option(urgent.server, SOL_SOCKET, SO_OOBINLINE, 1);
	must(send(urgent.client, "before", 6, 0));
	must(send(urgent.client, "!", 1, urgent_flag(urgent.server)));
	must(send(urgent.client, "after", 5, 0));
	must(fchown(odd, 1234, 1234));
	sleep_ms(20);
	talk(plain.client, plain.server);
	talk(narrow.server, narrow.client);
	before[0] = info_of(plain.client);
	before[1] = info_of(narrow.server);

	checkpoint();

	talk(plain.client, plain.server);
	talk(narrow.server, narrow.client);
	after[0] = info_of(plain.client);
	after[1] = info_of(narrow.server);
	for (int i = 0; i < 2; i++) {
		CHECK_EQUAL(after[i].tcpi_options, before[i].tcpi_options);
		CHECK_EQUAL(after[i].tcpi_snd_wscale, before[i].tcpi_snd_wscale);
		CHECK_EQUAL(after[i].tcpi_rcv_wscale, before[i].tcpi_rcv_wscale);
	}
	/* Half of the largest window that was told, which is rounded to the steps of its scale (before Linux 6.18: up).
	 */
	CHECK(after[0].tcpi_snd_mss >= before[0].tcpi_snd_mss &&
	      after[0].tcpi_snd_mss < before[0].tcpi_snd_mss + (1u << before[0].tcpi_rcv_wscale));
	CHECK_EQUAL(after[1].tcpi_snd_mss, before[1].tcpi_snd_mss);
	CHECK(after[1].tcpi_snd_mss <= 700);
	for (size_t i = 0; i < N_KEPT; i++)
		CHECK_EQUAL(socket_option(plain.client, kept[i].level, kept[i].name), kept[i].shown);
	check_congestion(plain.client);
	CHECK_EQUAL(recv(urgent.server, text, 6, MSG_WAITALL), 6);
	CHECK(!memcmp(text, "before", 6));
	CHECK_EQUAL(recv(urgent.server, text, 6, MSG_WAITALL), 6);
	CHECK(!memcmp(text, "!after", 6));
	must(getsockopt(udp, SOL_SOCKET, SO_GET_FILTER, filter, &size));
	CHECK_EQUAL(size, 1);
	size = sizeof(text);
	must(getsockopt(udp, SOL_SOCKET, SO_BINDTODEVICE, text, &size));
	CHECK(!strcmp(text, "lo"));
	CHECK_EQUAL(setsockopt(udp, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)), 0);
	size = sizeof(now);
	must(getsockname(odd, (struct sockaddr *)&now, &size));
	CHECK(!memcmp(&now, &name, sizeof(now)));
	CHECK_EQUAL(socket_option(odd, IPPROTO_IP, IP_TRANSPARENT), 1);
	return 0;
}
