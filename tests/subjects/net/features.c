// SPDX-License-Identifier: GPL-2.0-only
/* Network devices keep what they were told to do, and not to do, for the kernel (ethtool -K). */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "net.h"

SUBJECT(.seconds = 30)

#define BLOCKS 4

struct features {
	unsigned n;
	char names[32 * BLOCKS][ETH_GSTRING_LEN];
	struct ethtool_get_features_block blocks[BLOCKS];
};

static int ask(const char *device, void *request)
{
	int fd = must(socket(AF_INET, SOCK_DGRAM, 0));
	struct ifreq wanted = { .ifr_data = request };
	int result;

	strncpy(wanted.ifr_name, device, IFNAMSIZ - 1);
	result = ioctl(fd, SIOCETHTOOL, &wanted);
	close(fd);
	return result;
}

static void read_features(const char *device, struct features *to)
{
	/* As in linux/ethtool.h, where the sizes are open. */
	struct {
		uint32_t cmd, reserved;
		uint64_t sset_mask;
		uint32_t size;
	} set = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES };
	struct {
		uint32_t cmd, string_set, len;
		char names[32 * BLOCKS][ETH_GSTRING_LEN];
	} strings = { .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES };
	struct {
		uint32_t cmd, size;
		struct ethtool_get_features_block blocks[BLOCKS];
	} now = { .cmd = ETHTOOL_GFEATURES, .size = BLOCKS };

	must(ask(device, &set));
	CHECK(set.size <= 32 * BLOCKS);
	strings.len = to->n = set.size;
	must(ask(device, &strings));
	must(ask(device, &now));
	memcpy(to->names, strings.names, sizeof(to->names));
	memcpy(to->blocks, now.blocks, sizeof(to->blocks));
}

static bool is_wanted(const struct features *all, unsigned i)
{
	return all->blocks[i / 32].requested & 1U << i % 32;
}

static void turn(const char *device, const char *name, bool on)
{
	struct features all;
	struct {
		uint32_t cmd, size;
		struct ethtool_set_features_block blocks[BLOCKS];
	} set = { .cmd = ETHTOOL_SFEATURES };

	read_features(device, &all);
	for (unsigned i = 0; i < all.n; i++) {
		if (strcmp(all.names[i], name) != 0)
			continue;
		set.size = (all.n + 31) / 32;
		set.blocks[i / 32].valid = 1U << i % 32;
		set.blocks[i / 32].requested = on ? 1U << i % 32 : 0;
		must(ask(device, &set));
		read_features(device, &all);
		if (is_wanted(&all, i) != on)
			fprintf(stderr, "%s: %s stays %s\n", device, name, on ? "off" : "on");
		return;
	}
	fprintf(stderr, "%s: this kernel knows no %s\n", device, name);
}

/* What is active follows from it, with devices above and below. */
static void check_same(const char *device, const struct features *before)
{
	struct features after;

	read_features(device, &after);
	for (unsigned i = 0; i < before->n; i++) {
		const unsigned block = i / 32, bit = 1U << i % 32;

		if ((before->blocks[block].requested ^ after.blocks[block].requested) & bit ||
		    (before->blocks[block].active ^ after.blocks[block].active) & bit) {
			fprintf(stderr, "%s: %s has changed\n", device, before->names[i]);
			CHECK(!"a feature has changed");
		}
	}
}

int main(void)
{
	static const char *const devices[] = { "lo", "fa", "fb", "bridge" };
	struct features before[ARRAY_SIZE(devices)];
	struct features fresh;

	prepare_network();
	if (!runs("ip link add fa type veth peer name fb"))
		skip("this kernel has no veth");
	run("ip link add bridge type bridge && ip link set fb master bridge && ip link set fa up && ip link set fb up");
	run("ip link set bridge up");
	read_features("fa", &fresh);
	turn("fa", "tx-checksum-ip-generic", false);
	turn("fa", "tx-tcp-segmentation", false);
	turn("fa", "rx-gro-list", true);
	turn("fb", "rx-gro", false);
	turn("bridge", "tx-vlan-hw-insert", false);
	turn("lo", "tx-generic-segmentation", false);
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		read_features(devices[i], &before[i]);
	CHECK(memcmp(fresh.blocks, before[1].blocks, sizeof(fresh.blocks)) != 0);

	checkpoint();

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		check_same(devices[i], &before[i]);
	return 0;
}
