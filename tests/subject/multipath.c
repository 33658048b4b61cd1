// SPDX-License-Identifier: GPL-2.0-only
/* Preloaded into a program: its TCP sockets become those of Multipath TCP, as mptcpize of Debian's mptcpd does it. */
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

int socket(int family, int type, int protocol)
{
	int (*next)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");

	if ((family == AF_INET || family == AF_INET6) && (type & 15) == SOCK_STREAM &&
	    (!protocol || protocol == IPPROTO_TCP))
		protocol = IPPROTO_MPTCP;
	return next(family, type, protocol);
}
