// SPDX-License-Identifier: GPL-2.0-only
/* IP sets of many types, with all that members may have, in lists of sets and in rules of iptables. */
#include "net.h"

SUBJECT()

#define RULES "iptables-nft -S"

/* Without what is left of their time, which goes on. */
#define SAVED "ipset save | sed -E 's/(add .*) timeout [1-9][0-9]*/\\1 timeout/' | sort"

static bool make_sets(void)
{
	static const char *const commands[] = {
		"ipset create gone1 hash:ip",
		"ipset create plain hash:ip",
		"ipset add plain 10.1.2.3 && ipset add plain 10.9.0.0/29",
		"ipset create rich hash:net family inet6 timeout 3000 counters comment skbinfo maxelem 99",
		"ipset add rich fd77::/64 timeout 0 packets 7 bytes 77 comment 'two words' skbmark 0x5/0xff skbprio "
		"1:2 && "
		"ipset add rich fd88::/64 nomatch timeout 500",
		"ipset create gone2 hash:ip",
		"ipset create gone3 hash:ip",
		"ipset create ports bitmap:port range 1000-2000 timeout 5000 && ipset add ports 1500-1510",
		"ipset create pairs hash:ip,port,net && ipset add pairs 10.0.0.1,udp:53,10.2.0.0/16 && "
		"ipset add pairs 10.0.0.2,icmp:ping,0.0.0.0/1",
		"ipset create faces hash:net,iface && ipset add faces 10.3.0.0/24,eth0 && ipset add faces "
		"10.4.0.0/24,physdev:eth1",
		"ipset create empty bitmap:ip,mac range 10.5.0.0/24",
		"ipset create many hash:ip hashsize 64 maxelem 9000 && "
		"(for i in $(seq 2000); do echo add many 10.6.$((i / 250)).$((i % 250)); done) | ipset restore",
		"ipset create lists list:set size 9 counters && ipset add lists rich && ipset add lists plain before "
		"rich",
		"ipset destroy gone1 && ipset destroy gone2 && ipset destroy gone3",
		"iptables-nft -A INPUT -m set --match-set plain src -j DROP",
		"iptables-nft -A INPUT -m set ! --match-set ports dst -m set --match-set lists src -j ACCEPT",
		"iptables-nft -A FORWARD -j SET --add-set plain src --exist",
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!runs(commands[i]))
			return false;
	return true;
}

int main(void)
{
	prepare_network();
	if (!make_sets())
		skip("this kernel has no IP sets, or there is no ipset or iptables-nft");

	char *sets = strdup(output_of(SAVED)), *rules = strdup(output_of(RULES));

	CHECK(strstr(sets, "comment \"two words\"") && strstr(sets, "add many 10.6.7.249"));
	checkpoint();

	CHECK(!strcmp(output_of(SAVED), sets));
	CHECK(!strcmp(output_of(RULES), rules));
	CHECK(!runs("ipset destroy plain"));
	CHECK(runs("iptables-nft -F && ipset destroy lists && ipset destroy plain"));
	return 0;
}
