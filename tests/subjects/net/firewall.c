// SPDX-License-Identifier: GPL-2.0-only
/* The rules of nftables and of the legacy iptables stay, and so do connections that they keep track of. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "net.h"

SUBJECT(.options = "--tcp-established", .seconds = 30)

#define ASK "nft list ruleset | sed 's/packets [0-9]* bytes [0-9]*//'"
#define ASK_LEGACY \
	"(iptables-legacy-save -t filter; iptables-legacy-save -t nat) | grep -v '^#' | sed 's/\\[[0-9]*:[0-9]*\\]//'"

static void make_connection(int ends[2])
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = must(socket(AF_INET, SOCK_STREAM, 0));
	socklen_t size = sizeof(name);

	must(bind(listener, (struct sockaddr *)&name, size));
	must(listen(listener, 1));
	must(getsockname(listener, (struct sockaddr *)&name, &size));
	ends[0] = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(ends[0], (struct sockaddr *)&name, size));
	ends[1] = must(accept(listener, NULL, NULL));
	close(listener);
}

static void check_connection(int from, int to)
{
	char byte = 0;

	CHECK_EQUAL(send(from, "x", 1, MSG_NOSIGNAL), 1);
	CHECK_EQUAL(recv(to, &byte, 1, 0), 1);
	CHECK_EQUAL(byte, 'x');
}

int main(void)
{
	char *before, *legacy = NULL;
	int ends[2];

	prepare_network();
	if (!runs("nft list ruleset"))
		skip("nft does not work here");
	run("nft add table inet t && nft 'add set inet t s { type ipv4_addr; flags timeout; }'");
	run("nft 'add element inet t s { 10.1.1.1, 10.1.1.2 }'");
	run("nft 'add chain inet t in { type filter hook input priority 0; policy drop; }'");
	run("nft add rule inet t in ip saddr @s counter drop && nft add rule inet t in ct state new tcp flags syn iif "
	    "lo accept");
	run("nft add rule inet t in ct state established accept && nft add table ip6 other");
	if (runs("iptables-legacy -A INPUT -p tcp --dport 99 -j DROP && iptables-legacy -t nat -A POSTROUTING -s "
		 "10.0.0.0/8 -j MASQUERADE"))
		legacy = output_of(ASK_LEGACY);
	make_connection(ends);
	check_connection(ends[0], ends[1]);
	before = output_of(ASK);

	checkpoint();

	compare(ASK, before);
	if (legacy)
		compare(ASK_LEGACY, legacy);
	/* Nothing but tracked connections may pass. */
	check_connection(ends[0], ends[1]);
	check_connection(ends[1], ends[0]);
	return 0;
}
