// SPDX-License-Identifier: GPL-2.0-only
/*
 * WireGuard devices keep keys, ports, marks and peers, also one with more addresses than a message of the kernel holds;
 * two of them, in two network namespaces of the tree, carry packets again.
 */
#include <poll.h>

#include "wireguard.h"

SUBJECT(.seconds = 60)

#define ASK	      "(ip -o -d link; ip addr; ip route show table all | sort) " SETTLED
#define PORT	      5000
#define PRIVATE	      "f86f1520ff2c358716207159466e9a2e7af10d49c51472a900905e5a42417357"
#define PUBLIC	      "e51980a6bc0eb9ccc22ec9bc949db6960efaa086e9a2bd7a548c78cdefffa616"
#define OTHER_PRIVATE "00356570d0f17570c105f5cd5370d737b009910091450d830d5f9229eab6c045"
#define OTHER_PUBLIC  "fd5f920d337af00a2b763eb382033a96807c8257ccefb4a6bcdb54c3cf0dba3e"
#define SHARED	      "b87d4bb25da5fea7dcf2f598d892005b48c74b17f146f9f8490d745e97c20a4d"
#define THIRD_PUBLIC  "563bd7d225a2b2ff609f11e0484ce28cd2b428c2fb5c4e97de4e8cba8c762471"

static struct sockaddr_in name_of(const char *text, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = inet_addr(text) };
}

static void make_file(const char *name)
{
	close(must(open(control_path(name), O_CREAT | O_WRONLY, 0600)));
}

static bool is_there(const char *name)
{
	return access(control_path(name), F_OK) == 0;
}

static int open_udp(const char *address)
{
	struct sockaddr_in name = name_of(address, PORT);
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0));

	must(bind(fd, (struct sockaddr *)&name, sizeof(name)));
	return fd;
}

/* Until the other one has what it wanted. */
static void answer_until(int fd, const char *file)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };

	while (!is_there(file)) {
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		char text[16];
		ssize_t n = poll(&one, 1, 50) > 0 ? recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &size)
						  : -1;

		if (n > 0)
			sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&from, size);
	}
}

/* Packets may be lost until both have agreed on keys. */
static void ask_until_answered(int fd, const char *text)
{
	struct sockaddr_in name = name_of("10.44.0.2", PORT);
	struct pollfd one = { .fd = fd, .events = POLLIN };
	char answer[16] = "";

	while (strcmp(answer, text) != 0) {
		sendto(fd, text, strlen(text) + 1, 0, (struct sockaddr *)&name, sizeof(name));
		if (poll(&one, 1, 200) > 0)
			recv(fd, answer, sizeof(answer), 0);
	}
}

static int other(void *arg)
{
	char *before, *settings;
	int fd;

	must(unshare(CLONE_NEWNET));
	make_file("wg-other");
	while (!is_there("wg-moved"))
		sleep_ms(10);
	run("ip link set lo up && ip link set vb up && ip addr add 10.43.0.2/24 dev vb");
	run("ip link add wg0 type wireguard");
	wg_set_device("wg0", OTHER_PRIVATE, 7002, 0);
	wg_add_peer("wg0",
		    &(struct wg_peer){ .public = PUBLIC, .shared = SHARED, .network = 0x0a2c0001, .n_networks = 1 });
	run("ip addr add 10.44.0.2/24 dev wg0 && ip link set wg0 up");
	fd = open_udp("10.44.0.2");
	make_file("wg-ready");
	answer_until(fd, "wg-answered");
	before = output_of(ASK);
	settings = wg_settings("wg0");
	wait_for_restore();
	compare(ASK, before);
	answer_until(fd, "wg-done");
	wg_compare("wg0", settings);
	return 0;
}

static void add_second(void)
{
	struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons(9999), .sin6_scope_id = 0 };
	struct wg_peer peer = {
		.public = THIRD_PUBLIC, .shared = SHARED, .keepalive = 600, .network = 0x0a2d0000, .n_networks = 500
	};

	inet_pton(AF_INET6, "fd43::9", &name.sin6_addr);
	run("ip link add wg1 type wireguard && ip link set wg1 mtu 1300");
	wg_set_device("wg1", OTHER_PRIVATE, 0, 0x77);
	peer.endpoint = &name;
	peer.endpoint_size = sizeof(name);
	for (; peer.network < 0x0a2d0000 + 3000; peer.network += 500)
		wg_add_peer("wg1", &peer);
	wg_add_peer("wg1", &(struct wg_peer){ .public = PUBLIC });
	run("ip link set wg1 up");
}

int main(void)
{
	struct sockaddr_in endpoint = name_of("10.43.0.2", 7002);
	char *before, *settings, *second, command[64];
	pid_t child;
	int fd;

	need_wireguard();
	if (!runs("ip link add va address 02:00:00:00:00:0a type veth peer name vb address 02:00:00:00:00:0b"))
		skip("this kernel has no veth");
	child = start_child(other, NULL);
	while (!is_there("wg-other"))
		sleep_ms(10);
	snprintf(command, sizeof(command), "ip link set vb netns %d", child);
	run(command);
	run("ip link set va up && ip addr add 10.43.0.1/24 dev va");
	make_file("wg-moved");
	wg_set_device("wg0", PRIVATE, 7001, 0);
	wg_add_peer("wg0", &(struct wg_peer){ .public = OTHER_PUBLIC,
					      .shared = SHARED,
					      .endpoint = &endpoint,
					      .endpoint_size = sizeof(endpoint),
					      .network = 0x0a2c0002,
					      .n_networks = 1 });
	run("ip addr add 10.44.0.1/24 dev wg0 && ip link set wg0 up");
	add_second();
	fd = open_udp("10.44.0.1");
	while (!is_there("wg-ready"))
		sleep_ms(10);
	ask_until_answered(fd, "before");
	make_file("wg-answered");
	await_addresses();
	before = output_of(ASK);
	settings = wg_settings("wg0");
	second = wg_settings("wg1");

	checkpoint_with(1);

	compare(ASK, before);
	ask_until_answered(fd, "after");
	make_file("wg-done");
	wg_compare("wg0", settings);
	wg_compare("wg1", second);
	join_child(child, 0);
	return 0;
}
