// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network namespaces in which nobody lives: two of `ip netns add`, as a container manager in the tree makes them for
 * pods, with devices that lead there, rules and a socket of ours in one of them; and one that a descriptor keeps.
 */
#include <arpa/inet.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "net.h"

SUBJECT(.options = "--tcp-established", .seconds = 60)

#define IN(name) "nsenter --net=/run/netns/" name " "
#define DEVICES(in)                                                                   \
	"(" in "ip -o link; " in "ip addr; " in "ip route show table all | sort; " in \
	"ip netns list-id 2>/dev/null || true) " SETTLED
#define RULES IN("pod") "nft list ruleset"

static int enter(const char *path)
{
	int fd = must(open(path, O_RDONLY));

	must(setns(fd, CLONE_NEWNET));
	return fd;
}

/* Made over there, used from here. */
static int listen_in(const char *path, int home)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(4000) };
	int fd, there = enter(path);

	fd = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(fd, (struct sockaddr *)&name, sizeof(name)));
	must(listen(fd, 1));
	must(setns(home, CLONE_NEWNET));
	close(there);
	return fd;
}

static int connect_to(const char *address)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_port = htons(4000),
				    .sin_addr.s_addr = inet_addr(address) };
	int fd = must(socket(AF_INET, SOCK_STREAM, 0));

	must(connect(fd, (struct sockaddr *)&name, sizeof(name)));
	return fd;
}

static void check_stream(int from, int to)
{
	char byte = 0;

	CHECK_EQUAL(send(from, "x", 1, MSG_NOSIGNAL), 1);
	CHECK_EQUAL(recv(to, &byte, 1, 0), 1);
	CHECK_EQUAL(byte, 'x');
}

static int make_hidden(int home)
{
	int fd;

	must(unshare(CLONE_NEWNET));
	run("ip link add hid0 type bridge && ip addr add 10.9.9.9/24 dev hid0 && ip link set hid0 up");
	await_addresses();
	fd = must(open("/proc/self/ns/net", O_RDONLY));
	must(setns(home, CLONE_NEWNET));
	return fd;
}

int main(void)
{
	char *ours, *pod, *other, *rules = NULL, *hidden;
	int home, listener, client, server, kept;

	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(mount("run", "/run", "tmpfs", 0, NULL));
	prepare_network();
	home = must(open("/proc/self/ns/net", O_RDONLY));
	if (!runs("ip link add name va type veth peer name vb") || !runs("ip link add name br0 type bridge"))
		skip("this kernel has no veth, or no bridge");
	run("ip link set va master br0 && ip link set br0 up && ip link set va up && ip addr add 10.33.0.1/24 dev br0");
	run("ip netns add pod && ip netns add other");
	run("ip link set vb netns pod && ip -n pod link set lo up && ip -n pod link set vb up");
	run("ip -n pod addr add 10.33.0.2/24 dev vb && ip -n pod route add default via 10.33.0.1");
	run("ip -n pod link add vc type veth peer name vd netns other");
	run("ip -n pod link set vc up && ip -n other link set vd up && ip -n other addr add 10.34.0.2/24 dev vd");
	if (runs(RULES)) {
		run("nsenter --net=/run/netns/pod nft 'add table inet t; add chain inet t in { type filter hook input "
		    "priority 0; policy accept; }; add rule inet t in tcp dport 99 drop'");
		rules = output_of(RULES);
	}
	listener = listen_in("/run/netns/pod", home);
	client = connect_to("10.33.0.2");
	server = must(accept(listener, NULL, NULL));
	kept = make_hidden(home);
	await_addresses();
	while (output_of(IN("pod") "ip -6 addr show tentative; " IN("other") "ip -6 addr show tentative")[0])
		sleep_ms(20);
	ours = output_of(DEVICES(""));
	pod = output_of(DEVICES(IN("pod")));
	other = output_of(DEVICES(IN("other")));
	must(setns(kept, CLONE_NEWNET));
	hidden = output_of(DEVICES(""));
	must(setns(home, CLONE_NEWNET));

	checkpoint();

	compare(DEVICES(""), ours);
	compare(DEVICES(IN("pod")), pod);
	compare(DEVICES(IN("other")), other);
	if (rules)
		compare(RULES, rules);
	check_stream(client, server);
	check_stream(server, client);
	close(client);
	close(server);
	client = connect_to("10.33.0.2");
	server = must(accept(listener, NULL, NULL));
	check_stream(client, server);
	CHECK_EQUAL(setns(kept, CLONE_NEWNET), 0);
	compare(DEVICES(""), hidden);
	CHECK_EQUAL(setns(home, CLONE_NEWNET), 0);
	return 0;
}
