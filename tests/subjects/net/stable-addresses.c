// SPDX-License-Identifier: GPL-2.0-only
/*
 * Link-local addresses that the kernel has made out of a secret, its own or a given one, are the same with their mark
 * afterwards: of devices with a cable and without, and of those that have no hardware address. One that was taken away
 * does not come back, one in whose place a neighbour has another does not become usable.
 */
#include "net.h"

SUBJECT(.seconds = 60)

#define ASK "ip addr " SETTLED "; for i in va vb vc; do cat /proc/sys/net/ipv6/conf/$i/accept_dad; done"

static void write_secret(const char *device, const char *secret)
{
	char command[128];

	snprintf(command, sizeof(command), "echo %s > /proc/sys/net/ipv6/conf/%s/stable_secret", secret, device);
	run(command);
}

/* Kinds of modules: what this kernel has not is left out. */
static void add_plain(const char *make, const char *device)
{
	char command[256];

	snprintf(command, sizeof(command), "ip link add %s %s && ip link set %s up", device, make, device);
	if (!runs(command))
		fprintf(stderr, "not here: %s\n", make);
}

/* Detection goes on by itself: of this one it has failed already. */
static void add_failed(void)
{
	run("ip -6 addr add fd07::7/64 dev va");
	while (output_of("ip -6 addr show dev va tentative")[0])
		sleep_ms(20);
	run("echo 1 > /proc/sys/net/ipv6/conf/vb/accept_dad");
	run("ip -6 addr add fd07::7/64 dev vb");
	while (!output_of("ip -6 addr show dev vb dadfailed")[0])
		sleep_ms(50);
}

int main(void)
{
	char *before;

	need_network("ip link set lo up");
	if (!runs("ip link add name va address 02:00:00:00:00:0a type veth peer name vb address 02:00:00:00:00:0b"))
		skip("this kernel has no veth");
	run("ip link add vc address 02:00:00:00:00:0c type veth peer name vd address 02:00:00:00:00:0d");
	run("ip link set va addrgenmode random");
	write_secret("vb", "2001:db8::1");
	write_secret("vc", "2001:db8::2");
	write_secret("vd", "2001:db8::3");
	run("for i in va vb vc vd; do ip link set $i up; done");
	add_plain("type xfrm dev va if_id 9", "x0");
	add_plain("type gre local 10.0.0.1 remote 10.0.0.2 dev va", "g0");
	await_addresses();
	/* A secret that was changed later, and an address that was taken away. */
	run("ip -6 addr flush dev vd");
	run("ip addr add fe80::5/64 dev vc nodad");
	add_failed();
	before = output_of(ASK);

	checkpoint();

	while (!output_of("ip -6 addr show dev vb dadfailed")[0])
		sleep_ms(50);
	compare(ASK, before);
	return 0;
}
