// SPDX-License-Identifier: GPL-2.0-only
/* The endpoints and limits of Multipath TCP of a network namespace. */
#include "net.h"

SUBJECT(.seconds = 60)

#define ASK "ip mptcp endpoint show | sort; ip mptcp limits show"

int main(void)
{
	char *before;

	prepare_network();
	if (!runs("ip mptcp limits set subflow 5 add_addr_accepted 3"))
		skip("there is no Multipath TCP here");
	if (!runs("ip link add name va type veth peer name vb"))
		skip("this kernel has no veth");
	run("ip link set va up && ip link set vb up && ip addr add 10.1.2.3/24 dev va");
	run("ip mptcp endpoint add 10.1.2.3 dev va id 7 subflow backup && ip mptcp endpoint add 127.0.0.2 signal");
	run("ip mptcp endpoint add 127.0.0.1 port 4321 signal && ip mptcp endpoint add fd00::7 subflow fullmesh");
	before = output_of(ASK);
	CHECK(strstr(before, "4321") && strstr(before, "subflows 5"));

	checkpoint();

	compare(ASK, before);
	return 0;
}
