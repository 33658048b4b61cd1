/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of internet sockets that the kernel's table shows of all sockets at once: they need not be asked for. */
#include "object/socket/inet/told.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "kern/net/sockdiag.h"
#include "object/socket/option-numbers.h"

static bool socket_told(const struct inet_diag *diag, int option, int *ret)
{
	switch (option) {
	case SO_SNDBUF:
		*ret = (int)diag->send_buffer;
		return diag->send_buffer;
	case SO_RCVBUF:
		*ret = (int)diag->receive_buffer;
		return diag->receive_buffer;
	case SO_MARK:
		*ret = (int)diag->mark;
		return diag->has_mark;
	case SO_BINDTOIFINDEX:
		*ret = (int)diag->ifindex;
		return true;
	case SO_PRIORITY: /* another number may be that of a class */
		*ret = 0;
		return diag->has_class && !diag->class;
	}
	return false;
}

/* Both families have the same bits. */
static bool ip_told(const struct inet_diag_sockopt *options, int option, int *ret)
{
	switch (option) {
	case IP_FREEBIND:
		*ret = options->freebind;
		return true;
	case IP_TRANSPARENT:
		*ret = options->transparent;
		return true;
	case IP_RECVERR:
		*ret = options->recverr;
		return true;
	case IP_RECVERR_RFC4884:
		*ret = options->recverr_rfc4884;
		return true;
	case IP_MULTICAST_LOOP:
		*ret = options->mc_loop;
		return true;
	case IP_MULTICAST_ALL:
		*ret = options->mc_all;
		return true;
	case IP_BIND_ADDRESS_NO_PORT:
		*ret = options->bind_address_no_port;
		return true;
	}
	return false;
}

bool inet_told(const void *arg, int level, int option, int *ret)
{
	const struct inet_diag *diag = arg;

	if (level == SOL_SOCKET)
		return socket_told(diag, option, ret);
	return level == IPPROTO_IP && diag->has_options && ip_told(&diag->options, option, ret);
}
