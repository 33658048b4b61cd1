// SPDX-License-Identifier: GPL-2.0-only
/*
 * IPsec of two network namespaces: policies in their order, what is done by default, and, where the kernel has its
 * protocols, states with keys, windows and lifetimes. A TCP connection goes through them, and never in clear.
 */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "net.h"

SUBJECT(.options = "--tcp-established", .seconds = 60)

/* The connection says something when it is there again: what is counted for it cannot be compared, only that it works.
 */
#define STATES                                                                                             \
	"ip xfrm state | sed -e '/lastused/d; /anti-replay/d; / seq 0x/d; /bitmap/d; / 0[0-9a-f]* *$/d'; " \
	"for i in 10.0.0.1 fd00::1; do ip -s xfrm state list src $i | sed -e '/lastused/d'; done"
#define POLICIES "ip -s xfrm policy | sed -e '/add .* use/d'; ip xfrm policy getdefault"
#define DEVICES	 "(ip -o -d link; ip addr) " SETTLED
#define PORT	 4000
#define KEY	 "0x00112233445566778899aabbccddeeff"
#define LEFT	 "src 10.43.0.1 dst 10.43.0.2 "
#define RIGHT	 "src 10.43.0.2 dst 10.43.0.1 "

/*
 * Those that this kernel has not are left out. A tunnel that compresses brings a state along that begins anew.
 */
static const char *const more[] = {
	"state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x201 reqid 5 mode tunnel enc 'cbc(aes)' " KEY
	" auth-trunc 'hmac(sha256)' 0x0011223344 128 replay-window 32 limit byte-hard 1000000 limit time-soft 3600 "
	"limit time-hard 7200 limit packet-soft 77",
	"state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 0x202 mode tunnel aead 'rfc4106(gcm(aes))' " KEY
	"00112233 128 replay-window 128 flag esn mark 0x5 mask 0xff if_id 7 output-mark 9",
	"state add src 10.0.0.1 dst 10.0.0.3 proto ah spi 0x203 mode transport auth 'hmac(sha1)' 0x0011 flag align4",
	"state add src 10.0.0.1 dst 10.0.0.4 proto comp spi 0x204 mode transport comp deflate",
	"state add src 10.0.0.1 dst 10.0.0.5 proto esp spi 0x205 mode tunnel enc 'cbc(aes)' " KEY
	" auth 'hmac(sha1)' 0x0011 encap espinudp 4500 4500 0.0.0.0 sel src 10.8.0.0/24 dst 10.9.0.0/24 proto tcp",
	"state add src fd00::1 dst fd00::2 proto esp spi 0x206 mode beet enc 'ecb(cipher_null)' '' auth digest_null ''",
	"policy add dir out src 10.1.0.0/24 dst 10.2.0.0/24 proto udp dport 53 priority 7 tmpl src 10.0.0.1 dst "
	"10.0.0.2 proto esp reqid 5 mode tunnel level use",
	"policy add dir out src 10.1.0.0/24 dst 10.2.0.0/24 priority 7 action block",
	"policy add dir out src 10.1.0.0/16 dst 10.2.0.0/16 priority 7 index 81",
	"policy add dir in src 10.2.0.0/24 dst 10.1.0.0/24 dev va mark 5 mask 7 if_id 9 flag icmp tmpl src 10.0.0.2 "
	"dst 10.0.0.1 proto comp mode tunnel level use tmpl src 10.0.0.2 dst 10.0.0.1 proto esp mode transport",
	"policy add dir fwd src fd00::/64 dst fd01::/64 limit time-hard 100000",
	"policy setdefault fwd block",
};

static void make_file(const char *name)
{
	close(must(open(control_path(name), O_CREAT | O_WRONLY, 0600)));
}

static void await_file(const char *name)
{
	while (access(control_path(name), F_OK) < 0)
		sleep_ms(10);
}

/* In one direction each; a packet that is not protected is dropped. Without the protocol only the connection is left.
 */
static bool protect(const char *out, const char *in)
{
	char command[512];
	const char *const ways[2][2] = { { "out", out }, { "in", in } };

	if (!runs("ip xfrm state add " LEFT "proto esp spi 0x101 reqid 1 mode transport aead 'rfc4106(gcm(aes))' " KEY
		  "00112233 128 replay-window 32") ||
	    !runs("ip xfrm state add " RIGHT "proto esp spi 0x102 reqid 2 mode transport aead 'rfc4106(gcm(aes))' " KEY
		  "44556677 128 replay-window 64 flag esn")) {
		fprintf(stderr, "not here: ESP\n");
		return false;
	}
	for (int i = 0; i < 2; i++) {
		snprintf(command, sizeof(command),
			 "ip xfrm policy add dir %s %s tmpl %s proto esp reqid %d mode transport", ways[i][0],
			 ways[i][1], ways[i][1], strcmp(ways[i][1], LEFT) == 0 ? 1 : 2);
		run(command);
	}
	return true;
}

/* That a state has protected. */
static int n_packets(const char *direction)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "ip -s xfrm state list %s | sed -n 's/.*(bytes), \\([0-9]*\\)(packets).*/\\1/p'", direction);
	return atoi(output_of(command));
}

static void check_stream(int fd, const char *mine, const char *theirs)
{
	char text[5] = "";

	CHECK_EQUAL(send(fd, mine, 4, MSG_NOSIGNAL), 4);
	CHECK_EQUAL(recv(fd, text, 4, MSG_WAITALL), 4);
	CHECK(!strcmp(text, theirs));
}

static struct sockaddr_in other_name(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(PORT),
				     .sin_addr.s_addr = inet_addr("10.43.0.2") };
}

/* The last segment of the other end may still come: both compare when the connection is quiet. */
static int other(void *arg)
{
	struct sockaddr_in name = other_name();
	int listener, fd;
	char *states, *policies;

	must(unshare(CLONE_NEWNET));
	make_file("ipsec-other");
	await_file("ipsec-moved");
	run("ip link set lo up && ip link set vb up && ip addr add 10.43.0.2/24 dev vb");
	protect(RIGHT, LEFT);
	listener = must(socket(AF_INET, SOCK_STREAM, 0));
	must(bind(listener, (struct sockaddr *)&name, sizeof(name)));
	must(listen(listener, 1));
	make_file("ipsec-listening");
	fd = must(accept(listener, NULL, NULL));
	check_stream(fd, "pong", "ping");
	await_file("ipsec-quiet");
	states = output_of(STATES);
	policies = output_of(POLICIES);
	wait_for_restore();
	compare(STATES, states);
	compare(POLICIES, policies);
	make_file("ipsec-compared");
	check_stream(fd, "PONG", "PING");
	return 0;
}

/* Until all is acknowledged nothing is compared. */
static void await_quiet(void)
{
	char *last, *now = output_of(STATES);

	do {
		last = now;
		sleep_ms(300);
		now = output_of(STATES);
	} while (strcmp(last, now) != 0);
}

static void add_more(void)
{
	char command[512];

	if (!runs("ip link add x0 type xfrm dev va if_id 9 && ip link set x0 up && ip addr add 10.8.0.1/24 dev x0"))
		fprintf(stderr, "not here: devices of the kind xfrm\n");
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		snprintf(command, sizeof(command), "ip xfrm %s", more[i]);
		if (!runs(command))
			fprintf(stderr, "not here: %s\n", command);
	}
}

int main(void)
{
	struct sockaddr_in name = other_name();
	char command[64], *states, *policies, *devices;
	int fd, sent = 0, received = 0;
	bool protected;
	pid_t child;

	prepare_network();
	if (!runs("ip xfrm policy add dir out src 10.1.0.0/24 dst 10.2.0.0/24 priority 7 action allow"))
		skip("this kernel has no IPsec");
	if (!runs("ip link add name va address 02:00:00:00:00:0a type veth peer name vb address 02:00:00:00:00:0b"))
		skip("this kernel has no veth");
	child = start_child(other, NULL);
	await_file("ipsec-other");
	snprintf(command, sizeof(command), "ip link set vb netns %d", child);
	run(command);
	run("ip link set va up && ip addr add 10.43.0.1/24 dev va");
	make_file("ipsec-moved");
	protected = protect(LEFT, RIGHT);
	await_file("ipsec-listening");
	fd = must(socket(AF_INET, SOCK_STREAM, 0));
	must(connect(fd, (struct sockaddr *)&name, sizeof(name)));
	check_stream(fd, "ping", "pong");
	add_more();
	await_addresses();
	await_quiet();
	make_file("ipsec-quiet");
	states = output_of(STATES);
	policies = output_of(POLICIES);
	devices = output_of(DEVICES);
	if (protected) {
		sent = n_packets(LEFT);
		received = n_packets(RIGHT);
		CHECK(sent > 0 && received > 0);
	}

	checkpoint_with(1);

	compare(STATES, states);
	compare(POLICIES, policies);
	compare(DEVICES, devices);
	await_file("ipsec-compared");
	check_stream(fd, "PING", "PONG");
	if (protected)
		CHECK(n_packets(LEFT) > sent && n_packets(RIGHT) > received);
	join_child(child, 0);
	return 0;
}
