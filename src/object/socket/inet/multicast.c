/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Multicast groups of internet sockets. The kernel tells which groups a device has (/proc/thread-self/net/igmp, igmp6),
 * but not for whom; so each socket is asked about each of them.
 */
#include "object/socket/inet/multicast.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/pool.h"
#include "object/socket/inet/inet.h"

#define SOURCES_MAX 1024 /* the default limits of the kernel are 10 and 64 (igmp_max_msf, mld_max_msf) */

struct group {
	struct list all;
	unsigned index;
	char device[IF_NAMESIZE];
	union inet_address address;
};

struct multicast_groups {
	struct pool *pool;
	struct list all;
	unsigned n;
};

/* --- the table --- */

static void add_group(struct multicast_groups *groups, unsigned index, const char *device,
		      const union inet_address *address)
{
	struct group *new = pool_new(groups->pool, struct group);

	new->index = index;
	new->address = *address;
	snprintf(new->device, sizeof(new->device), "%s", device);
	list_push(&groups->all, &new->all);
	groups->n++;
}

/* "2	eth0      :     1      V3", then lines with groups: "				010000E0     1 0:00000000
 * 0". */
static void read_igmp(FILE *file, struct multicast_groups *groups)
{
	char line[256], device[IF_NAMESIZE] = "";
	unsigned index = 0;

	while (fgets(line, sizeof(line), file)) {
		union inet_address address = { .v4 = { .sin_family = AF_INET } };

		if (line[0] >= '0' && line[0] <= '9') {
			if (sscanf(line, "%u %15[^ :]", &index, device) != 2)
				index = 0;
		} else if (index && sscanf(line, " %x", &address.v4.sin_addr.s_addr) == 1) {
			add_group(groups, index, device, &address);
		}
	}
}

/* "2    eth0            ff020000000000000000000000000001     1 0000000C 0" */
static void read_igmp6(FILE *file, struct multicast_groups *groups)
{
	char line[256], device[IF_NAMESIZE], text[33];
	unsigned index;

	while (fgets(line, sizeof(line), file)) {
		union inet_address address = { .v6 = { .sin6_family = AF_INET6 } };

		if (sscanf(line, "%u %15s %32[0-9a-f]", &index, device, text) != 3 || strlen(text) != 32)
			continue;
		for (int i = 0; i < 16; i++) {
			char byte[3] = { text[2 * i], text[2 * i + 1] };

			address.v6.sin6_addr.s6_addr[i] = (uint8_t)strtoul(byte, NULL, 16);
		}
		add_group(groups, index, device, &address);
	}
}

static void read_table(const char *name, void (*read)(FILE *, struct multicast_groups *),
		       struct multicast_groups *groups)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	/* A kernel without multicast, or without IPv6. */
	if (!file)
		return;
	read(file, groups);
	fclose(file);
}

struct multicast_groups *multicast_read(struct pool *pool)
{
	struct multicast_groups *groups = pool_new(pool, struct multicast_groups);

	groups->pool = pool;
	list_init(&groups->all);
	read_table("/proc/thread-self/net/igmp", read_igmp, groups);
	read_table("/proc/thread-self/net/igmp6", read_igmp6, groups);
	return groups;
}

/* --- dump --- */

static int level_of(const union inet_address *address)
{
	return address->any.sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
}

static size_t words_of(const union inet_address *address)
{
	return address->any.sa_family == AF_INET ? 1 : 4;
}

static const void *bytes_of(const union inet_address *address)
{
	return address->any.sa_family == AF_INET ? (const void *)&address->v4.sin_addr : &address->v6.sin6_addr;
}

static InetGroupEntry *new_entry(const struct group *group, const struct group_filter *filter, struct pool *pool)
{
	InetGroupEntry *entry = pool_new(pool, InetGroupEntry);
	size_t words = words_of(&group->address);

	inet_group_entry__init(entry);
	entry->device = pool_string(pool, group->device);
	entry->n_address = words;
	entry->address = pool_copy(pool, bytes_of(&group->address), words * sizeof(uint32_t));
	entry->has_include = filter->gf_fmode == MCAST_INCLUDE;
	entry->include = entry->has_include;
	entry->n_sources = filter->gf_numsrc * words;
	entry->sources = pool_array(pool, uint32_t, entry->n_sources);
	for (uint32_t i = 0; i < filter->gf_numsrc; i++)
		memcpy(&entry->sources[i * words], bytes_of((const union inet_address *)&filter->gf_slist[i]),
		       words * sizeof(uint32_t));
	return entry;
}

/* An error means that the socket is not in the group. */
static void ask_for(int fd, const struct group *group, struct group_filter *filter, InetSkEntry *entry,
		    struct pool *pool)
{
	socklen_t size = GROUP_FILTER_SIZE(SOURCES_MAX);

	memset(filter, 0, GROUP_FILTER_SIZE(0));
	filter->gf_interface = group->index;
	memcpy(&filter->gf_group, &group->address, sizeof(group->address));
	filter->gf_numsrc = SOURCES_MAX;
	if (getsockopt(fd, level_of(&group->address), MCAST_MSFILTER, filter, &size) < 0)
		return;
	if (filter->gf_numsrc > SOURCES_MAX) {
		log_warn("Of %u sources of a multicast group only %u are kept", filter->gf_numsrc, SOURCES_MAX);
		filter->gf_numsrc = SOURCES_MAX;
	}
	entry->groups[entry->n_groups++] = new_entry(group, filter, pool);
}

void multicast_dump(const struct multicast_groups *groups, int fd, InetSkEntry *entry, struct pool *pool)
{
	AUTO_FREE struct group_filter *filter = xmalloc(GROUP_FILTER_SIZE(SOURCES_MAX));
	const struct group *group;

	entry->groups = pool_array(pool, InetGroupEntry *, groups->n);
	list_for_each(group, &groups->all, all)
		if (entry->family == AF_INET6 || group->address.any.sa_family == AF_INET)
			ask_for(fd, group, filter, entry, pool);
}

/* --- restore --- */

int multicast_check(const InetSkEntry *entry)
{
	for (size_t i = 0; i < entry->n_groups; i++) {
		const InetGroupEntry *group = entry->groups[i];

		if ((group->n_address != 1 && group->n_address != 4) || group->n_sources % group->n_address ||
		    group->n_sources / group->n_address > SOURCES_MAX)
			return refuse(EINVAL, "a multicast group has %zu words of address, %zu of sources",
				      group->n_address, group->n_sources);
	}
	return 0;
}

static void take_words(struct sockaddr_storage *to, const uint32_t *words, size_t n)
{
	union inet_address *address = (union inet_address *)to;

	memset(to, 0, sizeof(*to));
	address->any.sa_family = n == 1 ? AF_INET : AF_INET6;
	memcpy((void *)bytes_of(address), words, n * sizeof(uint32_t));
}

static int set_sources(int fd, int level, const struct group_req *request, const InetGroupEntry *group)
{
	size_t n = group->n_sources / group->n_address;
	AUTO_FREE struct group_filter *filter = xzalloc(GROUP_FILTER_SIZE(n));

	filter->gf_interface = request->gr_interface;
	filter->gf_group = request->gr_group;
	filter->gf_fmode = group->include ? MCAST_INCLUDE : MCAST_EXCLUDE;
	filter->gf_numsrc = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		take_words(&filter->gf_slist[i], &group->sources[i * group->n_address], group->n_address);
	if (setsockopt(fd, level, MCAST_MSFILTER, filter, (socklen_t)GROUP_FILTER_SIZE(n)) < 0)
		return fail_errno("cannot set the %zu sources of a multicast group", n);
	return 0;
}

static int join_group(int fd, const InetGroupEntry *group)
{
	struct group_req request = { .gr_interface = if_nametoindex(group->device) };
	int level = group->n_address == 1 ? IPPROTO_IP : IPPROTO_IPV6;

	if (!request.gr_interface)
		return fail_errno("it is in a multicast group of the network device %s", group->device);
	take_words(&request.gr_group, group->address, group->n_address);
	if (setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof(request)) < 0)
		return fail_errno("cannot join a multicast group of the network device %s", group->device);
	return group->n_sources || group->include ? set_sources(fd, level, &request, group) : 0;
}

int multicast_restore(const InetSkEntry *entry, int fd)
{
	for (size_t i = 0; i < entry->n_groups; i++)
		TRY(join_group(fd, entry->groups[i]));
	return 0;
}
