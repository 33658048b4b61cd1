// SPDX-License-Identifier: GPL-2.0-only
/* Tunnels, bonds, routing domains and other devices that come with modules keep their settings. */
#include "net.h"

SUBJECT(.seconds = 30)

/* When it began is counted by the device itself. */
#define ASK                      \
	"ip -d -o link " SETTLED \
	" -e 's/gc_timer *[0-9.]*//; s/_timer *[0-9.]*//g; s/mii_status [A-Z_]*//; s/bridge_slave state [a-z]*//'"
#define FORWARDING "bridge fdb show | grep -E '^02:77|^01:77|dst' | sort"

/* Those that this kernel has not are left out. */
static const char *const devices[] = {
	"dummy0x type dummy",
	"vlan0 link v0 type vlan id 77 protocol 802.1ad loose_binding on ingress-qos-map 1:5 egress-qos-map 4:6",
	"ipvlan0 link v1 type ipvlan mode l3 vepa",
	"macvlan0 link v0 type macvlan mode private",
	"vrf0 type vrf table 77",
	("vxlan0 type vxlan id 5 dstport 4789 local 10.9.0.1 remote 10.9.0.2 ttl 7 ageing 90 srcport 4000 5000 "
	 "nolearning"),
	"vxlan1 type vxlan id 6 dstport 8472 dev v0 group 239.1.1.1 gbp udpcsum",
	"vxlan2 type vxlan dstport 4790 external",
	"geneve0 type geneve id 9 remote 10.9.0.3 dstport 6082 ttl 3",
	"gre7 type gre remote 10.9.0.4 local 10.9.0.1 key 44 csum ttl 9 dev v0",
	"gretap7 type gretap remote 10.9.0.5 local 10.9.0.1 nopmtudisc",
	"ip6gre7 type ip6gre remote fd09::4 local fd09::1",
	"ipip7 type ipip remote 10.9.0.6 local 10.9.0.1 fwmark 0x11",
	"sit7 type sit remote 10.9.0.7 local 10.9.0.1 ttl 5",
	"ip6tnl7 type ip6tnl remote fd09::7 local fd09::1 mode ip6ip6 encaplimit 3",
	"vti7 type vti remote 10.9.0.8 local 10.9.0.1 key 3",
	"nlmon0 type nlmon",
	"bond0x type bond mode active-backup miimon 150 updelay 300 fail_over_mac active",
	"bond1x type bond mode 802.3ad lacp_rate fast xmit_hash_policy layer3+4 ad_user_port_key 5 min_links 2",
	"bond2x type bond mode balance-rr arp_interval 200 arp_ip_target 10.9.0.9,10.9.0.10 packets_per_slave 3",
};

static void add_ports(void)
{
	if (runs("ip link add d1 type veth peer name d2")) {
		run("ip link set d1 address 02:00:00:00:01:01 && ip link set d2 address 02:00:00:00:01:02");
		if (runs("ip link set d1 master bond0x"))
			run("ip link set d2 master bond0x && ip link set bond0x type bond primary d2 && "
			    "ip link set d1 type bond_slave queue_id 4");
	}
	if (runs("ip link add e1 type veth peer name e2"))
		runs("ip link set e1 master vrf0 && ip link set vrf0 up && ip addr add 10.8.0.1/24 dev e1 && "
		     "ip link set e1 up && ip link set e2 up && ip route add 10.8.1.0/24 via 10.8.0.2 vrf vrf0");
}

static void add_forwarding(void)
{
	if (runs("ip link show vxlan0")) {
		run("bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 10.9.0.77");
		run("bridge fdb add 02:77:00:00:00:01 dev vxlan0 dst 10.9.0.78 port 99 self permanent");
		run("bridge fdb add 02:77:00:00:00:02 dev vxlan0 dst 10.9.0.79 vni 8 self static");
	}
	if (runs("ip link add w1 type veth peer name w2 && ip link add br0 type bridge && ip link set w1 master br0")) {
		run("ip link set br0 up && ip link set w1 up && ip link set w2 up");
		run("bridge fdb add 02:77:00:00:00:03 dev w1 master static");
		run("bridge fdb add 02:77:00:00:00:04 dev w1 master static extern_learn");
	}
}

int main(void)
{
	char *before, *forwarding;
	char command[256];

	prepare_network();
	if (!runs("ip link add v0 type veth peer name v1"))
		skip("this kernel has no veth");
	run("ip addr add 10.9.0.1/24 dev v0 && ip link set v0 up && ip link set v1 up");
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		snprintf(command, sizeof(command), "ip link add %s", devices[i]);
		if (!runs(command))
			fprintf(stderr, "not here: %s\n", command);
	}
	add_ports();
	add_forwarding();
	before = output_of(ASK);
	forwarding = output_of(FORWARDING);

	checkpoint();

	compare(ASK, before);
	compare(FORWARDING, forwarding);
	if (runs("ip link show bond0x")) {
		run("ip link set d1 nomaster");
		run("ip link show d1 | grep 02:00:00:00:01:01");
	}
	return 0;
}
