/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of sockets that somebody has damaged are refused before anything is made of them. */
#include <netinet/in.h>
#include <linux/if_packet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fail.h"
#include "base/log.h"
#include "object/socket/inet/address.h"
#include "object/socket/inet/inet.h"
#include "object/socket/inet/udp-cork.h"
#include "object/socket/inet/udp-queue.h"
#include "object/socket/packet/ring.h"
#include "object/socket/unix/name.h"

static uint32_t loopback[4] = { 0, 0, 0, 0x01000000 }, any[4], v4[1] = { 0x0100007f };

static InetSkEntry inet(uint32_t family, uint32_t *words, size_t n, uint32_t port)
{
	InetSkEntry entry = INET_SK_ENTRY__INIT;

	entry.family = family;
	entry.src_addr = words;
	entry.n_src_addr = n;
	entry.src_port = port;
	return entry;
}

static void test_addresses(void **state)
{
	InetSkEntry entry = inet(AF_INET6, loopback, 4, 80);
	union inet_address address;
	char text[128], small[8];

	assert_int_equal(inet_check_addresses(&entry), 0);
	assert_true(inet_is_bound(&entry));
	assert_false(inet_is_connected(&entry));
	assert_int_equal(inet_source(&entry, &address), 0);
	assert_int_equal(address.v6.sin6_port, htons(80));
	assert_memory_equal(&address.v6.sin6_addr, &in6addr_loopback, 16);
	assert_int_equal(inet_destination(&entry, &address), -EINVAL);
	entry.dst_addr = any;
	entry.n_dst_addr = 4;
	inet_print(&entry, text, sizeof(text));
	assert_string_equal(text, "::1:80 -> :::0");
	inet_print(&entry, small, sizeof(small));
	assert_string_equal(small, "::1:80 ");
	entry.ifname = "no such device 0123456789";
	assert_true(inet_source(&entry, &address) < 0);

	entry = inet(AF_INET, v4, 1, 0);
	assert_true(inet_is_bound(&entry));
	assert_int_equal(inet_source(&entry, &address), 0);
	assert_int_equal(ntohl(address.v4.sin_addr.s_addr), INADDR_LOOPBACK);
	entry.src_addr = any;
	assert_false(inet_is_bound(&entry));
}

static void test_bad_addresses(void **state)
{
	InetSkEntry entry = inet(AF_INET6, loopback, 1, 80);

	assert_int_equal(inet_check_addresses(&entry), -EINVAL);
	entry = inet(AF_INET, loopback, 4, 80);
	assert_int_equal(inet_check_addresses(&entry), -EINVAL);
	entry = inet(AF_INET, NULL, 0, 80);
	assert_int_equal(inet_check_addresses(&entry), -EINVAL);
	entry = inet(AF_INET, v4, 1, 65536);
	assert_int_equal(inet_check_addresses(&entry), -EINVAL);
	entry = inet(AF_INET, v4, 1, 80);
	entry.dst_port = UINT32_MAX;
	assert_int_equal(inet_check_addresses(&entry), -EINVAL);
	entry.dst_port = 0;
	entry.dst_addr = loopback;
	entry.n_dst_addr = 4;
	assert_int_equal(inet_check_addresses(&entry), -EINVAL);
}

static void test_datagrams(void **state)
{
	InetDatagramEntry one = INET_DATAGRAM_ENTRY__INIT, *list[] = { &one };
	InetCorkedEntry corked = INET_CORKED_ENTRY__INIT;
	InetSkEntry entry = inet(AF_INET, v4, 1, 80);

	assert_int_equal(udp_queue_check(&entry), 0);
	assert_int_equal(udp_cork_check(&entry), 0);
	entry.unread = list;
	entry.n_unread = 1;
	assert_int_equal(udp_queue_check(&entry), -EINVAL);
	one.from = one.to = loopback;
	one.n_from = one.n_to = 4;
	assert_int_equal(udp_queue_check(&entry), 0);
	one.port = 65536;
	assert_int_equal(udp_queue_check(&entry), -EINVAL);
	one.port = 1;
	one.data.len = SIZE_MAX;
	assert_int_equal(udp_queue_check(&entry), -EINVAL);

	entry.corked = &corked;
	assert_int_equal(udp_cork_check(&entry), -EINVAL);
	corked.address = loopback;
	corked.n_address = 4;
	assert_int_equal(udp_cork_check(&entry), -EINVAL); /* of a socket for IPv4 */
	entry.family = AF_INET6;
	assert_int_equal(udp_cork_check(&entry), 0);
	corked.n_address = 1;
	corked.port = 65536;
	assert_int_equal(udp_cork_check(&entry), -EINVAL);
}

static int check_name(const char *name, size_t size, const char *dir)
{
	UnixSkEntry entry = UNIX_SK_ENTRY__INIT;

	entry.name.data = (uint8_t *)name;
	entry.name.len = size;
	entry.name_dir = (char *)dir;
	return unix_check_name(&entry);
}

static void test_unix_names(void **state)
{
	char longest[110];

	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	assert_int_equal(check_name(NULL, 0, NULL), 0);
	assert_int_equal(check_name("\0abstract\0with\0zeros", 20, NULL), 0);
	assert_int_equal(check_name("", 1, NULL), 0); /* abstract and empty */
	assert_int_equal(check_name("/tmp/socket", 12, NULL), 0);
	assert_int_equal(check_name(longest, 109, NULL), 0);
	assert_int_equal(check_name(longest, 110, NULL), -EINVAL);
	assert_int_equal(check_name("socket", 7, NULL), -EINVAL);
	assert_int_equal(check_name("socket", 7, ""), -EINVAL);
	assert_int_equal(check_name("socket", 7, "tmp"), -EINVAL);
	assert_int_equal(check_name("socket", 7, "/tmp"), 0);
}

static void test_rings(void **state)
{
	PacketSockEntry entry = PACKET_SOCK_ENTRY__INIT;
	PacketRing ring = PACKET_RING__INIT;

	assert_int_equal(packet_ring_check(&entry), 0);
	entry.version = TPACKET_V2;
	entry.protocol = 3;
	entry.rx_ring = &ring;
	ring.block_size = 4096;
	ring.block_nr = 2;
	ring.frame_size = 2048;
	ring.frame_nr = 4;
	ring.has_next = true;
	ring.next = 3;
	assert_int_equal(packet_ring_check(&entry), 0);
	ring.next = 4;
	assert_int_equal(packet_ring_check(&entry), -EINVAL);
	ring.next = 1;
	entry.protocol = 0;
	assert_int_equal(packet_ring_check(&entry), -EINVAL);
	entry.protocol = 3;
	ring.frame_size = 0;
	assert_int_equal(packet_ring_check(&entry), -EINVAL);
	ring.frame_size = 8192; /* larger than a block */
	assert_int_equal(packet_ring_check(&entry), -EINVAL);
	ring.frame_size = 2048;
	ring.block_nr = 0x80000002; /* the product has more than 32 bits */
	assert_int_equal(packet_ring_check(&entry), -EINVAL);
	ring.block_nr = 2;
	ring.has_content = true;
	ring.content.len = 8191;
	assert_int_equal(packet_ring_check(&entry), -EINVAL);
	entry.version = TPACKET_V3;
	ring.has_content = false;
	ring.next = 2; /* counts blocks */
	assert_int_equal(packet_ring_check(&entry), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_datagrams), cmocka_unit_test(test_unix_names),
		cmocka_unit_test(test_rings),
	};

	log_open("/dev/null"); /* all that is refused */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
