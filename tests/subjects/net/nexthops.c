// SPDX-License-Identifier: GPL-2.0-only
/* Nexthop objects of all sorts, and the routes of both families that go by them, stay as they are. */
#include "net.h"

SUBJECT(.seconds = 30)

#define ASK                                                                                                           \
	"(ip -d nexthop; (ip -d route show table all; ip -6 -d route show table all) | sort; bridge fdb | grep nhid " \
	"| sort; ip route get 10.5.0.9 fibmatch; ip route get 10.6.0.9 fibmatch) " SETTLED                            \
	" -e 's/unbalanced_time [0-9.]*//'"

/* Those that this kernel has not are left out. */
static const char *const objects[] = {
	"nexthop add id 3 group 11/12,2 type resilient buckets 64 idle_timer 77 unbalanced_timer 88",
	"nexthop add id 4 group 21,3/22,5",
	"nexthop add id 5 blackhole",
	"nexthop add id 6 via 10.3.0.9 dev va onlink protocol 77",
	"nexthop add id 7 via 10.1.2.7 fdb",
	"nexthop add id 8 via 10.1.2.8 fdb",
	"nexthop add id 2 group 7/8 fdb",
	"nexthop add id 9 dev vb",
	"nexthop add id 31 encap ip id 7 dst 10.1.2.99 dev va",
	"-6 route add fd05::/64 nhid 4",
	"-6 route add fd06::/64 nhid 5",
	"route add 10.4.0.0/16 nhid 3",
	"route add 10.5.0.0/16 nhid 1",
	"route add 10.5.0.0/16 nhid 12 metric 7 mtu 1300",
	"route add 10.6.0.0/16 nhid 5",
	"route add 10.7.0.0/16 nhid 6 table 100",
	"route add 10.8.0.0/16 nhid 9",
	"link add vx type vxlan id 5 dstport 4789 local 10.1.2.3",
};

int main(void)
{
	char command[256], *before;

	prepare_network();
	if (!runs("ip link add name va address 02:00:00:00:00:0a type veth peer name vb address 02:00:00:00:00:0b"))
		skip("this kernel has no veth");
	run("ip link set va up && ip link set vb up && ip addr add 10.1.2.3/24 dev va && ip -6 addr add fd00::1/64 dev "
	    "va");
	run("ip route add 10.9.9.9/32 dev vb");
	/* Groups have smaller numbers than their members, and are told before them. */
	if (!runs("ip nexthop add id 11 via 10.1.2.9 dev va"))
		skip("this kernel has no nexthop objects");
	run("ip nexthop add id 12 via 10.9.9.9 dev vb && ip nexthop add id 1 group 11,2/12,200");
	run("ip nexthop add id 21 via fd00::21 dev va && ip nexthop add id 22 via fd00::22 dev va");
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		snprintf(command, sizeof(command), "ip %s", objects[i]);
		if (!runs(command))
			fprintf(stderr, "not here: %s\n", command);
	}
	if (runs("ip link show vx"))
		runs("ip link set vx up && bridge fdb add 02:77:00:00:00:01 dev vx nhid 2 self permanent");
	await_addresses();
	before = output_of(ASK);

	checkpoint();

	compare(ASK, before);
	run("ip nexthop del id 12");
	return 0;
}
