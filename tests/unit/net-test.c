/* SPDX-License-Identifier: GPL-2.0-only */
/* Networks without a kernel: texts of rules, attributes of devices as bytes, settings. */
#include <sys/socket.h>
#include <linux/netlink.h>
#include <linux/wireguard.h>
#include <linux/xfrm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "object/net/ipsec.h"
#include "object/net/netfilter/firewall.h"
#include "object/net/link/link-restore.h"
#include "object/net/link/link.h"
#include "object/net/settings.h"

static void check_dropped(const char *from, const char *wanted)
{
	AUTO_FREE char *text = xstrdup(from);

	net_firewall_drop_locks(text);
	assert_string_equal(text, wanted);
}

/* Rules of a network lock are not those of the program. */
static void test_locks(void **state)
{
	check_dropped("", "");
	check_dropped("\n\n", "\n\n");
	check_dropped("table inet CRIU-1 {\n\tchain a {\n\t}\n}\ntable ip mine {\n}\n", "table ip mine {\n}\n");
	check_dropped("table inet CRIU-1 {\n\tchain a {\n\t}\n}", "");
	check_dropped("table inet CRIU-1 {", ""); /* cut off */
	check_dropped("table inet CRIU-1 {\n\t}", "");
	check_dropped("table inet CRIUX {\n}\n", "table inet CRIUX {\n}\n");
	check_dropped("table ip filter {\n\tchain CRIU {\n\t\tdrop\n\t}\n\tchain INPUT {\n\t\tcounter jump "
		      "CRIU\n\t\taccept\n\t}\n}\n",
		      "table ip filter {\n\tchain INPUT {\n\t\taccept\n\t}\n}\n");
	check_dropped("*filter\n:CRIU - [0:0]\n-A INPUT -j CRIU\n-A INPUT -j CRIUSER\n-A CRIU -j DROP\nCOMMIT",
		      "*filter\n-A INPUT -j CRIUSER\nCOMMIT");
	check_dropped("-j CRIU", "");
	check_dropped("CRIU", "CRIU");
}

/* What an engine has put there meanwhile is not put there twice. */
static void test_known_rules(void **state)
{
	static const char now[] =
		"table ip nat {\n\tchain ENGINE {\n\t\tdnat to 127.0.0.11:2\n\t}\n\tchain OUT {\n\t\ttype nat hook "
		"output priority -100; policy accept;\n\t\tip daddr 1.2.3.4 counter packets 0 bytes 0 jump "
		"ENGINE\n\t}\n}\ntable ip6 nat {\n}\n";
	AUTO_FREE char *text =
		xstrdup("table ip nat {\n\tchain ENGINE {\n\t\tdnat to 127.0.0.11:1\n\t}\n\tchain OUT {\n\t\ttype "
			"nat hook output priority -100; policy accept;\n\t\tip daddr 1.2.3.4 counter packets 7 "
			"bytes 123 jump ENGINE\n\t\tip daddr 1.2.3.5 counter packets 7 bytes 123 jump "
			"OWN\n\t}\n\tchain OWN {\n\t\taccept\n\t}\n}\ntable ip6 nat {\n\tchain ENGINE "
			"{\n\t\tdrop\n\t}\n}\n");

	net_firewall_drop_known(text, now);
	assert_string_equal(text,
			    "table ip nat {\n\tchain ENGINE {\n\t}\n\tchain OUT {\n\t\ttype nat hook output priority "
			    "-100; policy accept;\n\t\tip daddr 1.2.3.5 counter packets 7 bytes 123 jump "
			    "OWN\n\t}\n\tchain OWN {\n\t\taccept\n\t}\n}\ntable ip6 nat {\n\tchain ENGINE "
			    "{\n\t\tdrop\n\t}\n}\n");
	net_firewall_drop_known(text, "");
	assert_true(text_ends(text, "drop\n\t}\n}\n"));
}

static ProtobufCBinaryData bytes(void *data, size_t size)
{
	return (ProtobufCBinaryData){ size, data };
}

static void test_attributes(void **state)
{
	static const uint16_t numbers[] = { 3, 5, 0 };
	uint16_t data[] = { 5, 3, 0x2a, 0, 8, 5, 1, 2 }; /* length, number, content; lengths are rounded up to 4 */
	ProtobufCBinaryData both = bytes(data, sizeof(data)), none = bytes(data, 0);

	assert_true(link_attributes_are_sound(&none, numbers));
	assert_true(link_attributes_are_sound(&both, numbers));
	assert_null(link_kept_attribute(&none, 3));
	assert_null(link_kept_attribute(&both, 4));
	assert_null(link_kept_attribute(&both, 0));
	assert_ptr_equal(link_kept_attribute(&both, 3), data);
	assert_ptr_equal(link_kept_attribute(&both, 5), &data[4]);
	data[5] |= 0x8000; /* a nest has the same number */
	assert_true(link_attributes_are_sound(&both, numbers));

	data[5] = 4;
	assert_false(link_attributes_are_sound(&both, numbers));
	data[5] = 0; /* what ends the list is none of it */
	assert_false(link_attributes_are_sound(&both, numbers));
	data[5] = 5;
	for (size_t size = 1; size < sizeof(data); size++) {
		ProtobufCBinaryData cut = bytes(data, size);

		assert_int_equal(link_attributes_are_sound(&cut, numbers), size == 8);
	}
	for (unsigned length = 0; length < 4; length++) {
		data[0] = (uint16_t)length;
		assert_false(link_attributes_are_sound(&both, numbers));
	}
	data[0] = UINT16_MAX;
	assert_false(link_attributes_are_sound(&both, numbers));
}

/* Keys, ports and peers of WireGuard from an image: whole attributes that can be set, in any number. */
static void test_wireguard(void **state)
{
	struct nlattr device = { .nla_len = sizeof(device), .nla_type = WGDEVICE_A_FWMARK };
	struct nlattr *peer = xzalloc(UINT16_MAX + 1);
	ProtobufCBinaryData peers[2] = { bytes(peer, 4000), bytes(peer, 4000) };
	NetDeviceEntry entry = NET_DEVICE_ENTRY__INIT;
	WireguardEntry record = WIREGUARD_ENTRY__INIT;
	const struct link_kind *const *kind = link_kinds;

	while (strcmp((*kind)->name, "wireguard") != 0)
		kind++;
	assert_int_equal((*kind)->check(NULL, &entry), -EINVAL);
	entry.wireguard = &record;
	assert_int_equal((*kind)->check(NULL, &entry), 0);
	record.device = bytes(&device, sizeof(device));
	record.peers = peers;
	record.n_peers = 2;
	*peer = (struct nlattr){ .nla_len = 4000, .nla_type = WGPEER_A_ALLOWEDIPS };
	assert_int_equal((*kind)->check(NULL, &entry), 0);
	peers[1].len = 3999;
	assert_int_equal((*kind)->check(NULL, &entry), -EINVAL);
	peers[1].len = UINT16_MAX + 1;
	assert_int_equal((*kind)->check(NULL, &entry), -EINVAL);
	peers[1].len = 4000;
	peer->nla_type = WGPEER_A_FLAGS; /* could take others away */
	assert_int_equal((*kind)->check(NULL, &entry), -EINVAL);
	record.n_peers = 0;
	assert_int_equal((*kind)->check(NULL, &entry), 0);
	device.nla_type = WGDEVICE_A_IFINDEX; /* another device */
	assert_int_equal((*kind)->check(NULL, &entry), -EINVAL);
	free(peer);
}

/* IPsec from an image: a header with whole attributes. */
static void test_ipsec(void **state)
{
	struct {
		struct xfrm_usersa_info info;
		struct nlattr mark;
		uint32_t value;
	} one = { .mark = { .nla_len = 8, .nla_type = XFRMA_IF_ID } };
	ProtobufCBinaryData data = bytes(&one, sizeof(one));
	NetnsEntry entry = NETNS_ENTRY__INIT;

	assert_int_equal(net_ipsec_check(&entry), 0);
	entry.ipsec_states = &data;
	entry.n_ipsec_states = 1;
	assert_int_equal(net_ipsec_check(&entry), 0);
	data.len = sizeof(one.info);
	assert_int_equal(net_ipsec_check(&entry), 0);
	data.len--;
	assert_int_equal(net_ipsec_check(&entry), -EINVAL);
	data.len = sizeof(one);
	one.mark.nla_len = 9;
	assert_int_equal(net_ipsec_check(&entry), -EINVAL);
	data.len = RTNETLINK_CAPACITY;
	assert_int_equal(net_ipsec_check(&entry), -EINVAL);
	entry.n_ipsec_states = 0;
	entry.ipsec_policies = &data;
	entry.n_ipsec_policies = 1;
	data.len = sizeof(struct xfrm_userpolicy_info) - 1;
	assert_int_equal(net_ipsec_check(&entry), -EINVAL);
	entry.n_ipsec_policies = 0;
	entry.has_ipsec_default = true;
	assert_int_equal(net_ipsec_check(&entry), -EINVAL);
}

static void test_devices(void **state)
{
	NetDeviceEntry one = NET_DEVICE_ENTRY__INIT, two = NET_DEVICE_ENTRY__INIT, *list[] = { &one, &two };

	one.ifindex = 1;
	two.ifindex = 7;
	assert_ptr_equal(link_find(list, 2, 7), &two);
	assert_null(link_find(list, 2, 0));
	assert_null(link_find(list, 1, 7));
	assert_null(link_find(NULL, 0, 1));
}

static int check_sysctl(const char *path, const char *value)
{
	NetSysctl one = NET_SYSCTL__INIT, *list[] = { &one };
	NetnsEntry entry = NETNS_ENTRY__INIT;

	one.path = (char *)path;
	one.value = (char *)value;
	entry.sysctls = list;
	entry.n_sysctls = 1;
	return net_settings_check(&entry);
}

/* Nothing but what lies below /proc/sys/net is written. */
static void test_settings(void **state)
{
	AUTO_FREE char *long_text = xzalloc(70000);

	memset(long_text, 'x', 69999);
	assert_int_equal(check_sysctl("ipv4/ip_forward", "1"), 0);
	assert_int_equal(check_sysctl("ipv4/conf/eth0.7/forwarding", "1"), 0);
	assert_int_equal(check_sysctl("", "1"), -EINVAL);
	assert_int_equal(check_sysctl("/etc/passwd", "1"), -EINVAL);
	assert_int_equal(check_sysctl("..", "1"), -EINVAL);
	assert_int_equal(check_sysctl("../kernel/core_pattern", "1"), -EINVAL);
	assert_int_equal(check_sysctl("ipv4/../../kernel/core_pattern", "1"), -EINVAL);
	assert_int_equal(check_sysctl("ipv4/./x", "1"), -EINVAL);
	assert_int_equal(check_sysctl(long_text, "1"), -EINVAL);
	assert_int_equal(check_sysctl("ipv4/ip_forward", long_text), -EINVAL);
}

/* Lists of values: of the right type, and for some exactly as many as are known. */
static void test_lists(void **state)
{
	SysctlEntry one = SYSCTL_ENTRY__INIT, *list[64];
	NetnsEntry entry = NETNS_ENTRY__INIT;

	for (size_t i = 0; i < 64; i++)
		list[i] = &one;
	assert_int_equal(net_settings_check(&entry), 0);
	one.type = SYSCTL_TYPE__CTL_32;
	entry.unix_conf = list;
	entry.n_unix_conf = 1;
	assert_int_equal(net_settings_check(&entry), 0);
	entry.n_unix_conf = 2; /* one is known */
	assert_int_equal(net_settings_check(&entry), -EINVAL);
	entry.n_unix_conf = 1;
	one.type = SYSCTL_TYPE__CTL_STR;
	assert_int_equal(net_settings_check(&entry), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locks),	  cmocka_unit_test(test_known_rules), cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_devices),	  cmocka_unit_test(test_settings),    cmocka_unit_test(test_lists),
		cmocka_unit_test(test_wireguard), cmocka_unit_test(test_ipsec),
	};

	log_open("/dev/null"); /* all that is refused */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
