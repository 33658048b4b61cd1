// SPDX-License-Identifier: GPL-2.0-only
/* Labels of IPv6 addresses, also those that the kernel gives and that were changed, and groups given to ports of
 * bridges. */
#include "net.h"

SUBJECT()

#define LABELS "ip addrlabel | sort"
#define GROUPS "bridge -d mdb | grep permanent | sort"

int main(void)
{
	static const char *const commands[] = {
		"ip addrlabel add prefix fd77::/64 label 99",
		"ip addrlabel add prefix fd77:1::/64 dev bridge7 label 98",
		"ip addrlabel del prefix 2001::/32 label 6",
		"ip addrlabel del prefix 2002::/16 label 2 && ip addrlabel add prefix 2002::/16 label 222",
	};
	static const char *const groups[] = {
		"bridge mdb add dev bridge7 port va grp 239.1.1.1 permanent",
		"bridge mdb add dev bridge7 port va grp ff05::77 permanent",
		"bridge mdb add dev bridge7 port va grp 239.1.1.2 src 10.1.2.3 permanent",
		"bridge mdb add dev bridge7 port bridge7 grp 239.1.1.3 permanent",
		"bridge mdb add dev bridge7 port va grp 01:00:5e:00:00:77 permanent",
	};

	prepare_network();
	if (!runs("ip link add name bridge7 type bridge mcast_snooping 1 && ip link add va type veth peer name vb && "
		  "ip link set va master bridge7 && ip link set va up && ip link set vb up && ip link set bridge7 up"))
		skip("this kernel has no bridges, or no veth");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!runs(commands[i]))
			skip("not here: %s", commands[i]);
	/* Not all kernels know all of them. */
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		CHECK(runs(groups[i]) || i >= 2);

	char *labels = strdup(output_of(LABELS)), *given = strdup(output_of(GROUPS));

	CHECK(strstr(given, "239.1.1.1") && strstr(labels, "222"));
	checkpoint();

	compare(LABELS, labels);
	compare(GROUPS, given);
	return 0;
}
