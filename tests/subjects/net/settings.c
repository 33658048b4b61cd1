// SPDX-License-Identifier: GPL-2.0-only
/* The sysctls of a network namespace and of its devices keep their values. */
#include "net.h"

SUBJECT(.seconds = 60)

/* A count and a random key are no settings. */
#define ASK \
	"cd /proc/sys/net && find . -type f -perm -600 ! -name nf_conntrack_count | sort | xargs grep -s -H . || true"

int main(void)
{
	char *before;

	prepare_network();
	if (!runs("ip link add name va type veth peer name vb"))
		skip("this kernel has no veth");
	run("cd /proc/sys/net && echo 1 > ipv4/ip_forward && echo 0 > ipv4/ip_unprivileged_port_start");
	/* Older kernels have no such folder in other user namespaces. */
	run("cd /proc/sys/net && [ ! -d core ] || echo 77 > core/somaxconn");
	run("cd /proc/sys/net/ipv4/conf && echo 2 > va/rp_filter && echo 1 > default/arp_ignore && echo 1 > "
	    "vb/proxy_arp");
	run("cd /proc/sys/net/ipv4/conf && echo 0 > vb/forwarding && echo 0 > vb/accept_redirects && echo 1 > "
	    "va/arp_notify");
	run("cd /proc/sys/net/ipv6/conf && echo 1 > vb/disable_ipv6 && echo 0 > va/accept_ra && echo 1333 > va/mtu");
	run("cd /proc/sys/net/ipv6/conf && echo 1 > all/forwarding && echo 0 > va/forwarding && echo 99 > "
	    "default/hop_limit");
	run("echo '5 77' > /proc/sys/net/ipv4/ping_group_range && echo 33 > /proc/sys/net/unix/max_dgram_qlen");
	run("echo '4096 20000 60000' > /proc/sys/net/ipv4/tcp_wmem && echo '20000 30000' > "
	    "/proc/sys/net/ipv4/ip_local_port_range");
	run("echo 1234 > /proc/sys/net/ipv4/neigh/va/gc_stale_time; ip link set va up");
	before = output_of(ASK);

	checkpoint();

	compare(ASK, before);
	return 0;
}
