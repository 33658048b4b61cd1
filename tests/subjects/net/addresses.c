// SPDX-License-Identifier: GPL-2.0-only
/* Addresses, routes of all tables, rules and permanent neighbours of a network namespace stay as they are. */
#include "net.h"

SUBJECT(.seconds = 30)

#define ASK                                                                                                           \
	"(ip addr; (ip route show table all; ip -6 route show table all) | sort; ip rule; ip -6 rule; ip neigh show " \
	"nud permanent; ip neigh show proxy) " SETTLED                                                                \
	" -e 's/expires [0-9]*sec//; s/valid_lft [0-9]*sec preferred_lft [0-9]*sec//'"

int main(void)
{
	char *before;

	prepare_network();
	if (!runs("ip link add name va address 02:00:00:00:00:0a type veth peer name vb address 02:00:00:00:00:0b"))
		skip("this kernel has no veth");
	run("ip link set va up && ip link set vb up");
	run("ip addr add 10.1.2.3/24 dev va && ip addr add 10.1.2.4/24 dev va label va:x");
	run("ip addr add 10.9.0.1 peer 10.9.0.2 dev vb && ip addr add 10.8.0.1/24 dev vb noprefixroute");
	run("ip addr add 10.7.0.1/24 dev vb valid_lft 5000 preferred_lft 4000");
	run("ip addr add 127.5.5.5/8 dev lo");
	run("ip -6 addr add fd00::1/64 dev va && ip -6 addr add fd00::2/64 dev va nodad valid_lft 5000 preferred_lft "
	    "4000");
	run("ip -6 addr del fe80::ff:fe00:b/64 dev vb");
	run("ip route add 10.5.0.0/16 via 10.1.2.9 && ip route add 10.6.0.0/16 via 10.1.2.8 metric 7 mtu 1300");
	run("ip route add default nexthop via 10.1.2.7 weight 2 nexthop via 10.9.0.2 weight 1");
	run("ip route add 10.4.0.0/16 dev vb table 100 && ip route add default via 10.4.0.1 dev vb table 100");
	run("ip route add unreachable 10.3.0.0/16 && ip route add local 10.2.0.0/16 dev lo");
	run("ip -6 route add fd05::/64 via fd00::9 && ip -6 route add fd06::/64 dev vb table 100 metric 33");
	run("ip rule add from 10.1.2.3 table 100 && ip rule add fwmark 7 lookup 100 pref 50 && ip rule del pref 32767");
	run("ip -6 rule add from fd00::/64 table 100 pref 99");
	run("ip neigh add 10.1.2.77 lladdr 02:02:02:02:02:02 dev va && ip neigh add proxy 10.1.2.78 dev va");
	run("ip -6 neigh add fd00::77 lladdr 02:02:02:02:02:07 dev va");
	await_addresses();
	before = output_of(ASK);

	checkpoint();

	compare(ASK, before);
	return 0;
}
