// SPDX-License-Identifier: GPL-2.0-only
/* Every number that setsockopt(2) takes and getsockopt(2) shows again survives, on every sort of socket. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "subject.h"

SUBJECT()

#define OPTION_MAX 140
#define FIRST_FD   50

static const struct sort {
	const char *name;
	int family, type, protocol;
} sorts[] = {
	{ "TCP/IPv4", AF_INET, SOCK_STREAM, 0 },
	{ "TCP/IPv6", AF_INET6, SOCK_STREAM, 0 },
	{ "UDP/IPv4", AF_INET, SOCK_DGRAM, 0 },
	{ "UDP/IPv6", AF_INET6, SOCK_DGRAM, 0 },
	{ "UDP-Lite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE },
	{ "raw/IPv4", AF_INET, SOCK_RAW, IPPROTO_ICMP },
	{ "raw/IPv6", AF_INET6, SOCK_RAW, 253 },
	{ "netlink", AF_NETLINK, SOCK_RAW, 0 },
	{ "packet", AF_PACKET, SOCK_RAW, 0 },
	{ "packet, without headers", AF_PACKET, SOCK_DGRAM, 0 },
	{ "unix", AF_UNIX, SOCK_DGRAM, 0 },
	{ "unix stream", AF_UNIX, SOCK_STREAM, 0 },
	{ "unix seqpacket", AF_UNIX, SOCK_SEQPACKET, 0 },
	{ "MPTCP/IPv4", AF_INET, SOCK_STREAM, IPPROTO_MPTCP },
	{ "MPTCP/IPv6", AF_INET6, SOCK_STREAM, IPPROTO_MPTCP },
	{ "netlink, generic", AF_NETLINK, SOCK_RAW, 16 },
};

static const int levels[] = { SOL_SOCKET,      IPPROTO_IP,  IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP,
			      IPPROTO_UDPLITE, SOL_NETLINK, SOL_PACKET,	  IPPROTO_RAW };

#define N(array) (ARRAY_SIZE(array))

/* Sockets that have one option that a new one has not. */
static struct changed {
	const struct sort *sort;
	int fd, level, option, value;
} changed[2000];
static int n_changed, capacity;

static bool read_option(int fd, int level, int option, int *ret)
{
	socklen_t size = sizeof(*ret);

	return !getsockopt(fd, level, option, ret, &size) && size == sizeof(*ret);
}

/* Those that are modes of the moment and not properties. */
static bool is_left_out(int level, int option)
{
	return level == IPPROTO_TCP && (option == TCP_REPAIR || option == TCP_QUICKACK);
}

static bool change(int fd, int level, int option, int *ret)
{
	static const int candidates[] = { 1, 0, 2, 8, 12, 64, 1000, 100000 };
	int before;

	if (!read_option(fd, level, option, &before))
		return false;
	for (size_t i = 0; i < N(candidates); i++)
		if (candidates[i] != before && !setsockopt(fd, level, option, &candidates[i], sizeof(int)) &&
		    read_option(fd, level, option, ret) && *ret != before)
			return true;
	return false;
}

/* One socket does until an option of it has changed. */
static void try_all(const struct sort *sort, int level)
{
	int fd = socket(sort->family, sort->type, sort->protocol), value = 0;

	for (int option = 1; fd >= 0 && option < OPTION_MAX && n_changed < capacity; option++) {
		if (is_left_out(level, option) || !change(fd, level, option, &value))
			continue;
		must(dup2(fd, FIRST_FD + n_changed));
		close(fd);
		changed[n_changed] = (struct changed){ sort, FIRST_FD + n_changed, level, option, value };
		n_changed++;
		fd = must(socket(sort->family, sort->type, sort->protocol));
	}
	close(fd);
}

int main(void)
{
	struct rlimit limit;
	int lost = 0;

	must(getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_max < FIRST_FD + 300)
		skip("too few open files are allowed");
	limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
	must(setrlimit(RLIMIT_NOFILE, &limit));
	capacity = (int)limit.rlim_cur - FIRST_FD - 8;
	if (capacity > (int)N(changed))
		capacity = N(changed);
	for (size_t i = 0; i < N(sorts); i++)
		for (size_t j = 0; j < N(levels); j++)
			try_all(&sorts[i], levels[j]);
	CHECK(n_changed > 200);

	checkpoint();

	for (const struct changed *c = changed; c < changed + n_changed; c++) {
		int now = 0;

		if (read_option(c->fd, c->level, c->option, &now) && now == c->value)
			continue;
		printf("%s: option %d of level %d was %d and is %d\n", c->sort->name, c->option, c->level, c->value,
		       now);
		lost++;
	}
	fflush(stdout);
	CHECK_EQUAL(lost, 0);
	return 0;
}
