/* SPDX-License-Identifier: LGPL-2.1-only */
/* Experiments with sockets. */
#include "kern/probe.h"

#include <errno.h>
#include <netinet/in.h> /* before the linux headers, which then leave its types out */
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/auto.h"

static int open_socket(int family, int type, int protocol)
{
	return socket(family, type | SOCK_CLOEXEC, protocol);
}

/* Sends a dump request for sockets; 1 if the kernel answers with anything but an error. */
static int ask_diag(const void *body, size_t size)
{
	AUTO_CLOSE int fd = open_socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	struct timeval grace = { .tv_sec = 60 };
	struct {
		struct nlmsghdr header;
		char body[128];
	} request = { .header = { .nlmsg_len = (uint32_t)(sizeof(struct nlmsghdr) + size),
				  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	char answer[16384] __attribute__((aligned(8)));
	struct nlmsghdr *first = (struct nlmsghdr *)answer;

	memcpy(request.body, body, size);
	if (fd < 0)
		return 0;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &grace, sizeof(grace));
	if (send(fd, &request, request.header.nlmsg_len, 0) < 0 ||
	    recv(fd, answer, sizeof(answer), 0) < (ssize_t)sizeof(*first))
		return 0;
	if (first->nlmsg_type == NLMSG_DONE) /* its first word is an error code */
		return *(int *)NLMSG_DATA(first) == 0;
	return first->nlmsg_type != NLMSG_ERROR;
}

static int ask_inet_diag(uint8_t family, uint8_t protocol)
{
	struct inet_diag_req_v2 request = { .sdiag_family = family, .sdiag_protocol = protocol, .idiag_states = ~0u };

	return ask_diag(&request, sizeof(request));
}

int probe_sock_diag(void)
{
	struct unix_diag_req request = { .sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = UDIAG_SHOW_NAME };

	return ask_diag(&request, sizeof(request)) && ask_inet_diag(AF_INET, IPPROTO_TCP) &&
	       ask_inet_diag(AF_INET, IPPROTO_UDP);
}

int probe_net_diag_raw(void)
{
	return ask_inet_diag(AF_INET, IPPROTO_RAW);
}

static int can_set(int fd, int level, int option, int value)
{
	return fd >= 0 && setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

int probe_peek_off(void)
{
	AUTO_CLOSE int fd = open_socket(AF_UNIX, SOCK_STREAM, 0);

	return can_set(fd, SOL_SOCKET, SO_PEEK_OFF, 0);
}

int probe_sockopt_buf_lock(void)
{
	AUTO_CLOSE int fd = open_socket(AF_INET, SOCK_DGRAM, 0);

	return can_set(fd, SOL_SOCKET, 72 /* SO_BUF_LOCK */, 3);
}

int probe_ipv6_freebind(void)
{
	AUTO_CLOSE int fd = open_socket(AF_INET6, SOCK_STREAM, 0);

	return can_set(fd, IPPROTO_IPV6, 78 /* IPV6_FREEBIND */, 1);
}

int probe_socket_filter(void)
{
	AUTO_CLOSE int fd = open_socket(AF_INET, SOCK_DGRAM, 0);
	struct sock_filter accept_all = BPF_STMT(BPF_RET | BPF_K, 0xffff), back = { 0 };
	struct sock_fprog program = { .len = 1, .filter = &accept_all };
	socklen_t instructions = 1; /* counted in instructions, not bytes */

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return 0;
	return getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, &back, &instructions) == 0 && back.k == 0xffff;
}

int probe_tcp_repair(void)
{
	AUTO_CLOSE int fd = open_socket(AF_INET, SOCK_STREAM, 0);

	return can_set(fd, IPPROTO_TCP, TCP_REPAIR, 1);
}

int probe_tcp_window(void)
{
	AUTO_CLOSE int fd = open_socket(AF_INET, SOCK_STREAM, 0);
	struct tcp_repair_window window;
	socklen_t size = sizeof(window);

	return can_set(fd, IPPROTO_TCP, TCP_REPAIR, 1) &&
	       getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &size) == 0;
}

static int try_half_closed(void)
{
	AUTO_CLOSE int listener = open_socket(AF_INET, SOCK_STREAM, 0);
	AUTO_CLOSE int client = open_socket(AF_INET, SOCK_STREAM, 0);
	AUTO_CLOSE int server = -1;
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
	    connect(client, (struct sockaddr *)&address, size) < 0)
		return -errno;
	server = accept(listener, NULL, NULL);
	if (server < 0 || shutdown(client, SHUT_WR) < 0)
		return -errno;
	return can_set(client, IPPROTO_TCP, TCP_REPAIR, 1) && can_set(server, IPPROTO_TCP, TCP_REPAIR, 1);
}

int probe_tcp_half_closed(void)
{
	return probe_in_namespaces(try_half_closed);
}

/* Connects from this port, 0 = any; the other end goes to *ret. */
static int connect_to(const struct sockaddr_in *to, in_port_t *port, int listener, int *ret)
{
	AUTO_CLOSE int client = open_socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = to->sin_addr, .sin_port = *port };
	socklen_t size = sizeof(from);

	if (!can_set(client, SOL_SOCKET, SO_REUSEADDR, 1) || bind(client, (struct sockaddr *)&from, size) < 0 ||
	    connect(client, (const struct sockaddr *)to, size) < 0 ||
	    getsockname(client, (struct sockaddr *)&from, &size) < 0)
		return -errno;
	*port = from.sin_port;
	*ret = accept(listener, NULL, NULL);
	return *ret < 0 ? -errno : TAKE_FD(client);
}

/* The number of the next byte that it sends. */
static int read_send_seq(int fd, uint32_t *ret)
{
	socklen_t size = sizeof(*ret);

	if (!can_set(fd, IPPROTO_TCP, TCP_REPAIR, 1) || !can_set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE) ||
	    getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, ret, &size) < 0 ||
	    !can_set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP))
		return -errno;
	return 0;
}

#define AFTER_TIME_WAIT 65537 /* from the last number to the first one of the next connection */
#define TRIES		100

/* Before 6.10 the kernel chose the next number, and forgot it at once. */
static int try_backlog(void)
{
	AUTO_CLOSE int listener = open_socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int client, server = -1, error;
	socklen_t size = sizeof(address);
	uint32_t before, after;
	in_port_t port = 0;

	if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		return -errno;
	client = connect_to(&address, &port, listener, &server);
	error = client < 0 ? client : read_send_seq(server, &before);
	if (error < 0)
		return error;
	close(server); /* who ends it is in TIME-WAIT */
	close(client);
	client = -EADDRINUSE;
	for (int i = 0; i < TRIES && (client == -EADDRINUSE || client == -EADDRNOTAVAIL); i++) {
		client = connect_to(&address, &port, listener, &server);
		if (client < 0)
			poll(NULL, 0, 1); /* it has not ended yet */
	}
	error = client < 0 ? client : read_send_seq(server, &after);
	return error < 0 ? error : after - before == 1 + AFTER_TIME_WAIT + 1; /* a FIN, a SYN */
}

int probe_tcp_backlog(void)
{
	return probe_in_namespaces(try_backlog);
}

int probe_sk_ns(void)
{
	AUTO_CLOSE int fd = open_socket(AF_UNIX, SOCK_STREAM, 0);
	AUTO_CLOSE int ns = fd < 0 ? -1 : ioctl(fd, SIOCGSKNS, 0);

	return ns >= 0;
}

static int try_unix_file(void)
{
	AUTO_CLOSE int fd = open_socket(AF_UNIX, SOCK_STREAM, 0);
	AUTO_CLOSE int file = -1;
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/tmp/probe" };

	if (mount("probe", "/tmp", "tmpfs", 0, NULL) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	file = ioctl(fd, SIOCPROTOPRIVATE /* SIOCUNIXFILE */, 0);
	return file >= 0;
}

int probe_sk_unix_file(void)
{
	return probe_in_namespaces(try_unix_file);
}

static int try_iptables(void)
{
	AUTO_CLOSE int fd = open_socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	struct ipt_getinfo info = { .name = "filter" };
	socklen_t size = sizeof(info);

	return fd >= 0 && getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &size) == 0;
}

/* iptables loads this module when it is called; nothing else does. */
static bool is_loadable(const char *module)
{
	struct utsname name;
	char path[128];

	if (uname(&name) < 0)
		return false;
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", name.release);
	return probe_file_contains(path, module);
}

int probe_has_ipt_legacy(void)
{
	int result = probe_in_namespaces(try_iptables);

	return result ? result : is_loadable("/ip_tables.ko") && is_loadable("/iptable_filter.ko");
}
