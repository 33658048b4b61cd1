// SPDX-License-Identifier: GPL-2.0-only
/* Two network namespaces in one tree, joined by a pair of veth devices, with a TCP connection between them. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "net.h"

SUBJECT(.options = "--tcp-established", .seconds = 30)

#define ASK  "(ip -o -d link; ip addr; ip route show table all | sort; ip netns list-id 2>/dev/null || true) " SETTLED
#define PORT 4000

static struct sockaddr_in address(const char *text)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(PORT),
				     .sin_addr.s_addr = inet_addr(text) };
}

static void await_file(const char *name)
{
	while (access(control_path(name), F_OK) < 0)
		sleep_ms(10);
}

static void make_file(const char *name)
{
	close(must(open(control_path(name), O_CREAT | O_WRONLY, 0600)));
}

static void check_stream(int fd, const char *mine, const char *theirs)
{
	char text[5] = "";

	CHECK_EQUAL(send(fd, mine, 4, MSG_NOSIGNAL), 4);
	CHECK_EQUAL(recv(fd, text, 4, MSG_WAITALL), 4);
	CHECK(!strcmp(text, theirs));
}

static int other(void *arg)
{
	struct sockaddr_in name = address("10.33.0.2");
	int listener, fd;
	char *before;

	must(unshare(CLONE_NEWNET));
	make_file("net-other");
	await_file("net-moved");
	run("ip link set lo up && ip link set vb up && ip addr add 10.33.0.2/24 dev vb");
	listener = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	must(listen(listener, 1));
	make_file("net-listening");
	fd = must(accept(listener, NULL, NULL));
	await_file("net-connected");
	await_addresses();
	before = output_of(ASK);
	wait_for_restore();
	compare(ASK, before);
	check_stream(fd, "pong", "ping");
	return 0;
}

int main(void)
{
	struct sockaddr_in name = address("10.33.0.2");
	char command[64], *before;
	pid_t child;
	int fd;

	prepare_network();
	if (!runs("ip link add name va address 02:00:00:00:00:0a type veth peer name vb address 02:00:00:00:00:0b"))
		skip("this kernel has no veth");
	child = start_child(other, NULL);
	await_file("net-other");
	snprintf(command, sizeof(command), "ip link set vb netns %d", child);
	run(command);
	run("ip link set va up && ip addr add 10.33.0.1/24 dev va");
	make_file("net-moved");
	await_file("net-listening");
	fd = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(fd, (struct sockaddr *)&name, sizeof(name)));
	make_file("net-connected");
	await_addresses();
	before = output_of(ASK);

	checkpoint_with(1);

	compare(ASK, before);
	check_stream(fd, "ping", "pong");
	join_child(child, 0);
	return 0;
}
