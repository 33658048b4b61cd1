// SPDX-License-Identifier: GPL-2.0-only
/* What ip6tables, arptables and ebtables have made in nftables stays theirs, with sets that have no name. */
#include "net.h"

SUBJECT(.seconds = 30)

#define SIX    "ip6tables-nft-save -c | grep -v '^#'"
#define ARP    "arptables-nft-save | grep -v '^#'"
#define BRIDGE "ebtables-nft -L --Lc && ebtables-nft -t nat -L"

int main(void)
{
	char *six, *arp, *bridge = NULL;

	prepare_network();
	if (!runs("ip6tables-nft -P FORWARD DROP && arptables-nft -P OUTPUT ACCEPT"))
		skip("ip6tables-nft and arptables-nft do not work here");
	run("ip6tables-nft -A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 128 -m comment --comment six -j ACCEPT");
	run("ip6tables-nft -A INPUT ! -p tcp -m hl --hl-lt 3 -j DROP && ip6tables-nft -A INPUT -m rt --rt-type 0 -j "
	    "DROP");
	run("ip6tables-nft -A INPUT -p udp -m udp --dport 22 -m conntrack --ctstate NEW -j DROP");
	run("ip6tables-nft -t nat -A POSTROUTING -s fd00::/64 -j MASQUERADE");
	run("arptables-nft -A INPUT -s 10.0.0.1 -j DROP");
	if (runs("ebtables-nft -A FORWARD -p IPv4 --ip-proto tcp --ip-dport 80 -j mark --mark-set 5 --mark-target "
		 "ACCEPT")) {
		run("ebtables-nft -A FORWARD -p ! IPv6 -j CONTINUE");
		run("ebtables-nft -A FORWARD --among-src 00:11:22:33:44:55=10.0.0.1,00:11:22:33:44:56 -j DROP");
		run("ebtables-nft -t nat -A PREROUTING -p IPv4 --ip-dst 10.1.1.1 -j dnat --to-destination "
		    "00:11:22:33:44:55");
		bridge = output_of(BRIDGE);
	}
	run("bash -c 'echo x > /dev/udp/::1/22'");
	six = output_of(SIX);
	arp = output_of(ARP);
	CHECK(strstr(six, "[1:50] -A INPUT"));

	checkpoint();

	compare(SIX, six);
	compare(ARP, arp);
	if (bridge)
		compare(BRIDGE, bridge);
	run("ip6tables-nft -D INPUT ! -p tcp -m hl --hl-lt 3 -j DROP && arptables-nft -D INPUT -s 10.0.0.1 -j DROP");
	return 0;
}
