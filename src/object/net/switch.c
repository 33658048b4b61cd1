/* SPDX-License-Identifier: GPL-2.0-only */
/* Visits to the network namespaces of the tree, by their ids; which of them a socket belongs to. */
#include "object/net/switch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "image/inventory.h"
#include "object/namespace/namespace.h"
#include "object/net/net.h"
#include "object/net/space.h"

struct namespace *network_find(const struct namespace_set *set, uint32_t id)
{
	struct namespace *ns;

	if (!set || !id)
		return NULL;
	for_each_namespace(ns, set)
		if (ns->kind->flag == CLONE_NEWNET && ns->id == id)
			return ns;
	return NULL;
}

int network_find_devices(struct restore *r, uint32_t id, int *ret_fd, const struct net_devices **ret)
{
	const struct namespace *ns = network_find(restore_namespaces(r), id);

	if (!ns || ns->own || !ns->data)
		return -ENOENT;
	*ret_fd = ns->fd;
	*ret = &((struct net_space *)ns->data)->devices;
	return 0;
}

bool network_is_other(const struct namespace_set *set, uint32_t id)
{
	const struct namespace *ns = network_find(set, id);

	return ns && !ns->own;
}

bool network_has_lasted(const struct namespace *ns)
{
	const struct net_space *space = ns->data;

	return ns->joined || (space && space->key);
}

static int enter_network(struct netns_switch *entered, int fd, uint32_t id)
{
	int error = netns_enter(entered, fd);

	return error < 0 ? fail(-error, "entering network namespace %u", id) : 0;
}

int network_dump_enter(const struct dump *d, uint32_t id, struct netns_switch *entered)
{
	const struct namespace *ns = network_find(dump_namespaces(d), id);
	AUTO_CLOSE int fd = -1;

	if (!ns || ns->own || !namespace_is_held(ns))
		return 0;
	fd = namespace_open(ns);
	TRY(fd);
	return enter_network(entered, fd, id);
}

int network_restore_enter(struct restore *r, uint32_t id, struct netns_switch *entered)
{
	const struct namespace *ns = network_find(restore_namespaces(r), id);

	if (!ns || ns->own)
		return 0;
	return enter_network(entered, ns->fd, id);
}

int network_restore_check(const struct restore *r, uint32_t id)
{
	const TaskKobjIdsEntry *criu = r->inventory->root_ids;

	/* 0 and older images: that of the task. */
	if (!id || network_find(restore_namespaces(r), id) || !criu || !criu->has_net_ns_id || criu->net_ns_id == id)
		return 0;
	return refuse(EINVAL, "it belongs to network namespace %u, in which nobody lives", id);
}

static int work_in_own(const struct dump *d, int (*work)(const struct dump *d, void *arg), void *arg)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	struct namespace *ns;

	for_each_namespace(ns, dump_namespaces(d))
		if (ns->kind->flag == CLONE_NEWNET && ns->own && ns->fd >= 0)
			TRY(enter_network(&entered, ns->fd, ns->id));
	return work(d, arg);
}

int network_dump_each(const struct dump *d, int (*work)(const struct dump *d, void *arg), void *arg)
{
	struct namespace *ns;

	TRY(work_in_own(d, work, arg));
	if (!dump_namespaces(d)->any)
		return 0;
	for_each_namespace(ns, dump_namespaces(d)) {
		AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;

		if (ns->kind->flag != CLONE_NEWNET || ns->own || !namespace_is_held(ns))
			continue;
		TRY(network_dump_enter(d, ns->id, &entered));
		TRY(work(d, arg));
	}
	return 0;
}

uint32_t network_of_inode(const struct dump *d, ino_t inode)
{
	const struct namespace *ns;

	for_each_namespace(ns, dump_namespaces(d))
		if (ns->kind->flag == CLONE_NEWNET && ns->inode == inode && !ns->joined)
			return ns->id;
	return 0;
}

/* SIOCGSKNS (Linux 4.9) is for those with power over the network only. */
int network_of_socket(const struct dump *d, const struct task *task, int socket, uint32_t *ret)
{
	AUTO_CLOSE int fd = ioctl(socket, SIOCGSKNS);
	struct stat st;

	*ret = task->ids && task->ids->has_net_ns_id ? task->ids->net_ns_id : 0;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return fail_errno("looking at the network namespace of a socket");
	*ret = network_of_inode(d, st.st_ino);
	if (*ret)
		return 0;
	return refuse(EOPNOTSUPP,
		      "this socket belongs to network namespace [%lu], in which no task of the tree lives: it cannot "
		      "be saved",
		      st.st_ino);
}
