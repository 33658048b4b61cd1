/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a network device does for the kernel, as far as a user may switch it (ethtool -K): checksums, segmentation, ...
 * The numbers of features change with each kernel, their names do not. Those that one of the kernels does not know stay
 * as they are.
 */
#include "object/net/features.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"

#define BLOCK_BITS 32

struct feature_list {
	unsigned n;
	struct ethtool_gstrings *names;
	struct ethtool_gfeatures *now;
};

static void feature_list_done(struct feature_list *list)
{
	free(list->names);
	free(list->now);
}

static int ask_ethtool(int fd, const char *device, void *request)
{
	struct ifreq wanted = { .ifr_data = request };

	strncpy(wanted.ifr_name, device, IFNAMSIZ - 1);
	return ioctl(fd, SIOCETHTOOL, &wanted) < 0 ? -errno : 0;
}

static int read_features(int fd, const char *device, struct feature_list *ret)
{
	struct { /* struct ethtool_sset_info with one number */
		uint32_t cmd, reserved;
		uint64_t sset_mask;
		uint32_t size;
	} set = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES };
	int error = ask_ethtool(fd, device, &set);
	unsigned blocks;

	if (error < 0 || !set.sset_mask)
		return error;
	ret->n = set.size;
	blocks = (ret->n + BLOCK_BITS - 1) / BLOCK_BITS;
	ret->names = xzalloc(sizeof(*ret->names) + (size_t)ret->n * ETH_GSTRING_LEN);
	*ret->names =
		(struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = ret->n };
	ret->now = xzalloc(sizeof(*ret->now) + blocks * sizeof(ret->now->features[0]));
	*ret->now = (struct ethtool_gfeatures){ .cmd = ETHTOOL_GFEATURES, .size = blocks };
	error = ask_ethtool(fd, device, ret->names);
	return error < 0 ? error : ask_ethtool(fd, device, ret->now);
}

static const char *name_of(const struct feature_list *list, unsigned i)
{
	char *name = (char *)list->names->data + (size_t)i * ETH_GSTRING_LEN;

	name[ETH_GSTRING_LEN - 1] = '\0';
	return name;
}

static bool is_open(const struct feature_list *list, unsigned i)
{
	return list->now->features[i / BLOCK_BITS].available & 1U << i % BLOCK_BITS && name_of(list, i)[0];
}

static bool is_on(const struct feature_list *list, unsigned i)
{
	return list->now->features[i / BLOCK_BITS].requested & 1U << i % BLOCK_BITS;
}

/* --- dump --- */

int net_features_dump(struct pool *pool, NetDeviceEntry *entry)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	AUTO(feature_list_done) struct feature_list list = { 0 };
	AUTO(buffer_done) struct buffer text = { 0 };
	int error = fd < 0 ? -errno : read_features(fd, entry->name, &list);

	if (error == -EOPNOTSUPP)
		return 0;
	if (error < 0)
		return fail(-error, "asking for the features of network device %s (ethtool -k)", entry->name);
	for (unsigned i = 0; i < list.n; i++)
		if (is_open(&list, i))
			buffer_printf(&text, "%s%c%s", text.size ? " " : "", is_on(&list, i) ? '+' : '-',
				      name_of(&list, i));
	if (text.size)
		entry->features = pool_string(pool, text.data);
	return 0;
}

/* --- restore --- */

/* '+', '-', or '\0' if the images say nothing of it. */
static char find_saved(const char *saved, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = saved; (at = strstr(at, name)); at += length)
		if (at > saved && strchr("+-", at[-1]) && (at == saved + 1 || at[-2] == ' ') && strchr(" ", at[length]))
			return at[-1];
	return '\0';
}

int net_features_restore(const NetDeviceEntry *entry)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	AUTO(feature_list_done) struct feature_list list = { 0 };
	AUTO_FREE struct ethtool_sfeatures *set = NULL;
	unsigned changes = 0;
	int error = fd < 0 ? -errno : 0;

	if (!entry->features)
		return 0;
	if (error == 0)
		error = read_features(fd, entry->name, &list);
	if (error < 0)
		return error == -EOPNOTSUPP ? 0 : fail(-error, "asking for its features (ethtool -k)");
	set = xzalloc(sizeof(*set) + (list.n / BLOCK_BITS + 1) * sizeof(set->features[0]));
	*set = (struct ethtool_sfeatures){ .cmd = ETHTOOL_SFEATURES, .size = list.now ? list.now->size : 0 };
	for (unsigned i = 0; i < list.n; i++) {
		char saved = is_open(&list, i) ? find_saved(entry->features, name_of(&list, i)) : '\0';

		if (!saved || (saved == '+') == is_on(&list, i))
			continue;
		changes++;
		set->features[i / BLOCK_BITS].valid |= 1U << i % BLOCK_BITS;
		set->features[i / BLOCK_BITS].requested |= saved == '+' ? 1U << i % BLOCK_BITS : 0;
	}
	if (!changes)
		return 0;
	log_debug("network device %s: %u features are switched", entry->name, changes);
	error = ask_ethtool(fd, entry->name, set);
	return error < 0 ? fail(-error, "switching its features (ethtool -K)") : 0;
}
