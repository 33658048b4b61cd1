// SPDX-License-Identifier: GPL-2.0-only
/* The devices of a network namespace keep their kind, number, addresses, settings, and on what they stand. */
#include "net.h"

SUBJECT(.seconds = 30)

#define ASK "ip -d -o link " SETTLED " -e 's/gc_timer *[0-9.]*//; s/_timer *[0-9.]*//g'"

int main(void)
{
	char *before;

	prepare_network();
	if (!runs("ip link add name probe type bridge && ip link del probe && ip link add name m0 link lo type "
		  "macvlan; "
		  "ip link add name va type veth peer name vb"))
		skip("this kernel has no bridges or no veth");
	run("ip link set va address 02:00:00:00:00:0a mtu 1400 txqueuelen 77 alias 'the first' group 5");
	run("ip link set vb address 02:00:00:00:00:0b multicast off");
	run("ip link add name br0 type bridge ageing_time 5000 forward_delay 700 mcast_snooping 0");
	run("ip link set br0 address 02:00:00:00:00:0c");
	run("ip link set va master br0 && bridge link set dev va cost 9 hairpin on");
	run("ip link set vb up && ip link set va up && ip link set br0 up");
	run("ip link add link vb name mac0 type macvlan mode bridge && ip link set mac0 up");
	if (runs("ip link add name ifb7 type ifb"))
		run("ip link set ifb7 up txqueuelen 55");
	if (runs("test -c /dev/net/tun"))
		run("ip tuntap add name tap0 mode tap user 7 && ip link set tap0 up");
	run("ip link set lo mtu 32000");
	before = output_of(ASK);

	checkpoint();

	compare(ASK, before);
	return 0;
}
