/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Network namespaces: the order of the pieces in this folder. What is read and made is read and made by the coordinator
 * itself, which visits the namespace for the time (kern/net/netns.h).
 */
#include "object/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/outline.h"
#include "engine/engine.h"
#include "image/inventory.h"
#include "image/record.h"
#include "kern/net/netlink.h"
#include "object/namespace/namespace.h"
#include "object/net/address-label.h"
#include "object/net/address-mark.h"
#include "object/net/address-restore.h"
#include "object/net/bridge-group.h"
#include "object/net/ipsec.h"
#include "object/net/left-out.h"
#include "object/net/link/link-restore.h"
#include "object/net/lock/acks.h"
#include "object/net/lock/lock.h"
#include "object/net/multipath.h"
#include "object/net/netfilter/ipset.h"
#include "object/net/not-saved.h"
#include "object/net/qdisc.h"
#include "object/net/settings.h"
#include "object/net/space.h"
#include "object/net/switch.h"
#include "options/options.h"
#include "session/given.h"
#include "session/needs.h"
#include "session/survey.h"

static bool is_network(const struct namespace *ns)
{
	return ns->kind->flag == CLONE_NEWNET;
}

static int open_rtnetlink(struct netlink **ret)
{
	int error = netlink_open(NETLINK_ROUTE, ret);

	return error < 0 ? fail(-error, "opening a netlink socket") : 0;
}

/* --- dump --- */

/* By which number this namespace, that we are in, knows another one. */
static int dump_nsid(const struct dump *d, struct netlink *netlink, const struct namespace *other, int *ret)
{
	AUTO_CLOSE int fd = other->own ? fcntl(other->fd, F_DUPFD_CLOEXEC, 3) : namespace_open(other);
	int error;

	TRY(fd);
	error = rtnetlink_nsid_get(netlink, fd, ret);
	return error < 0 ? fail(-error, "asking for the number of network namespace %u", other->id) : 0;
}

static int dump_nsids(const struct dump *d, struct netlink *netlink, const struct namespace *ns, NetnsEntry *entry,
		      struct net_peer *peers, size_t *ret_n)
{
	struct namespace *other;
	int nsid = -1;

	*ret_n = 0;
	for_each_namespace(other, dump_namespaces(d)) {
		NetnsId *record;

		if (!is_network(other) || other == ns || (!other->own && !namespace_is_held(other)))
			continue;
		TRY(dump_nsid(d, netlink, other, &nsid));
		if (nsid < 0)
			continue;
		record = entry->nsids[entry->n_nsids++] = pool_new(d->pool, NetnsId);
		netns_id__init(record);
		record->target_ns_id = other->id;
		record->netnsid_value = nsid;
		if (!other->own)
			peers[(*ret_n)++] = (struct net_peer){ other->id, nsid };
	}
	return 0;
}

static void keep_devices(struct pool *pool, struct net_devices *found, struct net_space *space)
{
	space->devices.n = found->n;
	space->devices.items = pool_copy(pool, found->items, found->n * sizeof(found->items[0]));
	vector_done(found);
}

static int dump_devices(struct net_view *view, struct net_space *space)
{
	struct net_devices found = { 0 };
	int error = net_links_dump(view, space->empty ? &link_loopback_kind : NULL, &found);

	if (error >= 0 && !space->empty)
		error = net_qdiscs_report(view, &found);
	if (error >= 0 && !space->empty) {
		net_not_saved_report(view);
		net_address_marks_report(view, &space->given);
	}
	keep_devices(view->d->pool, &found, space);
	return error;
}

/* Devices, settings and addresses of a namespace do not change while its tasks stand still, unless somebody from
 * outside comes in. */
static int look_around(const struct dump *d, struct namespace *ns, struct net_space *space)
{
	AUTO(netlink_close) struct netlink *netlink = NULL;
	struct net_view view = { .d = d, .id = ns->id, .given = &space->given };
	struct net_peer *peers = pool_array(d->pool, struct net_peer, dump_namespaces(d)->list.n);

	TRY(open_rtnetlink(&netlink));
	view.netlink = netlink;
	space->entry->nsids = pool_array(d->pool, NetnsId *, dump_namespaces(d)->list.n);
	TRY(dump_nsids(d, netlink, ns, space->entry, peers, &view.n_peers));
	view.peers = peers;
	if (d->options->empty_ns & CLONE_NEWNET && ns->of_root)
		TRY(net_left_out_collect(&view, space));
	if (space->empty)
		space->entry->n_nsids = 0;
	TRY(dump_devices(&view, space));
	if (space->empty)
		return 0;
	TRY(net_multipath_collect(d, space->entry));
	TRY(net_ipsec_collect(d, space->entry));
	TRY(net_ipsets_collect(d, space->entry));
	TRY(net_address_labels_collect(d, netlink, &space->given, space->entry));
	TRY(net_bridge_groups_collect(&view, space->entry));
	return net_firewall_collect(d, space->furnished, &space->rules_left);
}

/* The way back, for those who are in another one. */
static int remember_home(const struct dump *d)
{
	struct namespace *ns;

	for_each_namespace(ns, dump_namespaces(d)) {
		if (!is_network(ns) || !ns->own || ns->fd >= 0)
			continue;
		ns->fd = netns_open_own();
		if (ns->fd < 0)
			return fail(-ns->fd, "opening the own network namespace");
	}
	return 0;
}

/* One that the user gives again. */
static const char *external_key(const struct dump *d, const struct namespace *ns)
{
	char inode[32];

	snprintf(inode, sizeof(inode), "%lu", ns->inode);
	return link_external(d->options, "net", inode);
}

static int await_acks(const struct dump *d, uint32_t id)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;

	TRY(network_dump_enter(d, id, &entered));
	network_await_acks();
	return 0;
}

int network_dump_isolate(struct dump *d)
{
	struct namespace *ns;

	for_each_namespace(ns, dump_namespaces(d)) {
		if (!is_network(ns) || !ns->task)
			continue;
		if (!ns->own)
			TRY(remember_home(d));
		TRY(await_acks(d, ns->id));
		if (ns->own)
			continue;
		if (external_key(d, ns)) {
			network_dump_add(d, ns->id);
			continue;
		}
		TRY(network_dump_cut_off(d, ns->id));
	}
	return 0;
}

static int collect_net(const struct dump *d, struct namespace *ns)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	struct net_space *space = ns->data = pool_new(d->pool, struct net_space);
	struct dump *acting;

	TRY(remember_home(d));
	space->entry = pool_new(d->pool, NetnsEntry);
	netns_entry__init(space->entry);
	space->key = external_key(d, ns);
	if (space->key) {
		if (!space->key[0])
			return refuse(EINVAL, "--external net[%lu] gives it no name: net[%lu]:NAME", ns->inode,
				      ns->inode);
		log_info("Network namespace %u is external: %s", ns->id, space->key);
		return 0;
	}
	/* With a task it was done before. */
	acting = ns->kept ? phase_acting_dump(d, PHASE_dump_isolate) : NULL;
	if (acting)
		TRY(network_dump_cut_off(acting, ns->id));
	TRY(network_dump_enter(d, ns->id, &entered));
	return look_around(d, ns, space);
}

static int write_devices(struct dump *d, const struct namespace *ns, const struct net_space *space)
{
	AUTO(image_close) struct image *image = NULL;

	TRY(image_create(dump_store(d), &image, IMAGE_NETDEV, ns->id));
	for (size_t i = 0; i < space->devices.n; i++)
		TRY(image_write(image, space->devices.items[i]));
	return image_finish(&image);
}

static int write_content(struct dump *d, const struct namespace *ns, const struct net_space *space)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	AUTO(netlink_close) struct netlink *netlink = NULL;

	TRY(network_dump_enter(d, ns->id, &entered));
	TRY(net_settings_dump(d->pool, space->entry));
	TRY(write_devices(d, ns, space));
	if (space->empty)
		return 0;
	TRY(open_rtnetlink(&netlink));
	TRY(net_tables_dump(d, netlink, ns->id, &space->given, space->entry));
	if (!space->rules_left)
		TRY(net_firewall_dump(d, ns->id));
	return net_conntrack_dump(d, ns->id);
}

static int dump_net(struct dump *d, struct namespace *ns)
{
	struct net_space *space = ns->data;

	if (space->key)
		space->entry->ext_key = pool_string(d->pool, space->key);
	else
		TRY(write_content(d, ns, space));
	return image_write_one(dump_store(d), IMAGE_NETNS, space->entry, ns->id);
}

/* --- load --- */

static int load_devices(const struct restore *r, const struct namespace *ns, struct net_space *space)
{
	AUTO(image_close) struct image *image = NULL;
	struct net_devices found = { 0 };
	NetDeviceEntry *entry;
	int more = image_open(r->store, &image, IMAGE_NETDEV, ns->id);

	if (more == -ENOENT)
		return 0;
	TRY(more);
	while ((more = image_read(image, &entry)) > 0)
		*vector_push(&found) = entry;
	keep_devices(r->pool, &found, space);
	return more;
}

static int check_devices(const struct restore *r, const struct net_space *space)
{
	for (size_t i = 0; i < space->devices.n; i++)
		TRY(net_link_check(r, space->devices.items[i]));
	return 0;
}

static int load_external(const struct restore *r, const char *key)
{
	if (given_has_descriptor(r, key))
		return 0;
	return need_given(r, NEED_DESCRIPTOR, key, "the network namespace of the tasks, which is not in the checkpoint",
			  pool_printf(r->pool,
				      "the network namespace \"%s\" was outside: give it with --inherit-fd fd[N]:%s",
				      key, key));
}

/*
 * Engines pass the key of a namespace that they made and --empty-ns net together; CRIU 4.2 writes no image then that
 * would tell the key. So it is the descriptor that is given and is a network namespace.
 */
static const char *find_given(const struct options *options)
{
	const struct opt_inherit_fds *given = &options->inherit_fds;

	for (size_t i = 0; i < given->n; i++)
		if (ioctl(given->items[i].fd, NS_GET_NSTYPE) == CLONE_NEWNET)
			return given->items[i].key;
	return NULL;
}

/* CRIU 4.2 writes no image of the namespace at all with --empty-ns net. */
static bool is_empty(const struct restore *r, const struct namespace *ns)
{
	static const enum image_id types[] = { IMAGE_NETDEV, IMAGE_IFADDR, IMAGE_ROUTE };
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		AUTO(image_close) struct image *image = NULL;

		any |= image_open(r->store, &image, types[i], ns->id) >= 0;
	}
	return !any;
}

/* An empty network is made if that was asked for: nobody shall be without one unawares. */
static int want_empty(const struct restore *r, const char *refusal)
{
	return need_given(r, NEED_OPTION, "--empty-ns net",
			  "the network of the tasks is not in the checkpoint: whoever restores makes it, or gives it",
			  refusal);
}

static int load_absent(const struct restore *r, struct namespace *ns)
{
	struct net_space *space = ns->data;
	const char *refusal = pool_printf(
		r->pool,
		"netns-%u.img is missing: restore with --empty-ns net if the dump was made so, or to have a "
		"network without content",
		ns->id);

	if (!is_empty(r, ns))
		return refuse(ENOENT, "%s", refusal);
	space->empty = true;
	return r->options->empty_ns & CLONE_NEWNET ? 0 : want_empty(r, refusal);
}

static int load_net(const struct restore *r, struct namespace *ns)
{
	struct net_space *space = ns->data = pool_new(r->pool, struct net_space);
	int error = image_read_one(r->store, IMAGE_NETNS, &space->entry, ns->id);

	if (error != -ENOENT)
		TRY(error);
	if (error == 0 && space->entry->ext_key)
		return load_external(r, space->key = space->entry->ext_key);
	if ((error == -ENOENT || space->entry->left_out) && r->options->empty_ns & CLONE_NEWNET)
		space->key = find_given(r->options);
	if (error == -ENOENT)
		return load_absent(r, ns);
	if (space->entry->left_out && !(r->options->empty_ns & CLONE_NEWNET))
		TRY(want_empty(r, "the dump has left the network out (--empty-ns net): restore with --empty-ns net"));
	TRY(net_settings_check(space->entry));
	TRY(load_devices(r, ns, space));
	net_left_out_load(r->options, ns, space);
	r->facts->network_first |= space->furnished;
	TRY(check_devices(r, space));
	if (space->empty)
		return 0;
	TRY(net_tables_load(r, ns->id, space->entry, &space->tables));
	TRY(net_multipath_check(space->entry));
	TRY(net_ipsec_check(space->entry));
	TRY(net_ipsets_check(space->entry));
	TRY(net_address_labels_check(space->entry));
	TRY(net_bridge_groups_check(space->entry));
	TRY(net_firewall_load(r, ns->id, &space->rules));
	return net_conntrack_load(r, ns->id, &space->tracks);
}

/* --- restore --- */

static int make_net(struct restore *r, struct namespace *ns)
{
	const struct net_space *space = ns->data;
	int error;

	if (!space->key)
		return 0;
	error = given_descriptor(r, space->key, &ns->fd);
	return error == -ENOENT ? load_external(r, space->key) : error;
}

/* Before there are devices: the kernel would choose numbers by itself. */
static int set_nsids(struct restore *r, struct net_fill *fill, const NetnsEntry *entry)
{
	const TaskKobjIdsEntry *criu = r->inventory->root_ids;

	for (size_t i = 0; i < entry->n_nsids; i++) {
		const NetnsId *record = entry->nsids[i];
		const struct namespace *ns = network_find(restore_namespaces(r), record->target_ns_id);
		bool own = ns ? ns->own : criu && criu->has_net_ns_id && criu->net_ns_id == record->target_ns_id;
		int error;

		if (!own && (!ns || ns->fd < 0))
			continue;
		error = rtnetlink_nsid_set(fill->netlink, own ? fill->home_fd : ns->fd, record->netnsid_value);
		if (error < 0 && error != -EEXIST)
			return fail(-error, "giving network namespace %u the number %d", record->target_ns_id,
				    record->netnsid_value);
	}
	return 0;
}

static int furnish_network(struct restore *r, struct net_fill *fill, const struct net_space *space)
{
	TRY(set_nsids(r, fill, space->entry));
	TRY(net_settings_restore(r, space->entry));
	TRY(net_links_make(fill));
	TRY(net_links_start(fill));
	if (space->empty)
		return net_settings_restore_others(space->entry, fill->devices, fill->n_devices);
	TRY(net_address_marks_restore(fill, &space->tables));
	TRY(net_tables_restore(r->pool, fill->netlink, &space->tables, space->entry));
	TRY(net_address_labels_restore(fill->netlink, space->entry));
	TRY(net_bridge_groups_restore(fill->netlink, space->entry));
	TRY(net_links_finish(fill, net_tables_has_link_local, &space->tables));
	TRY(net_multipath_restore(space->entry));
	return net_settings_restore_others(space->entry, fill->devices, fill->n_devices);
}

/* What follows takes all away that the images do not have: whoever started us must not lose the network. */
static int check_is_another(int home)
{
	struct stat ours, here;

	if (fstat(home, &ours) < 0 || stat("/proc/thread-self/ns/net", &here) < 0)
		return fail_errno("examining the network namespace");
	if (ours.st_dev == here.st_dev && ours.st_ino == here.st_ino)
		return refuse(EPERM, "this is criu's own network namespace: the saved network is not put there");
	return 0;
}

static int fill_net(struct restore *r, struct namespace *ns)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	AUTO(netlink_close) struct netlink *netlink = NULL;
	AUTO_CLOSE int home = netns_open_own();
	struct net_space *space = ns->data;
	struct net_fill fill = {
		.r = r,
		.id = ns->id,
		.fd = ns->fd,
		.home_fd = home,
		.devices = space->devices.items,
		.n_devices = space->devices.n,
	};

	if (home < 0)
		return fail(-home, "opening the own network namespace");
	if (space->key)
		return 0;
	TRY(network_restore_cut_off(r, ns->id));
	if (!space->entry)
		return 0;
	TRY(network_restore_enter(r, ns->id, &entered));
	TRY(check_is_another(home));
	TRY(open_rtnetlink(&netlink));
	fill.netlink = netlink;
	return furnish_network(r, &fill, space);
}

/* Whoever has furnished it since may have changed them. */
static int repeat_settings(const struct restore *r, const struct net_space *space)
{
	TRY(net_settings_restore(r, space->entry));
	for (size_t i = 0; i < space->devices.n; i++)
		TRY(net_settings_restore_device(r, space->devices.items[i]));
	return net_settings_restore_others(space->entry, space->devices.items, space->devices.n);
}

/* When all connections are there: their last steps are segments that we send to ourselves, which rules could drop. */
static int settle_net(struct restore *r, struct namespace *ns)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	const struct net_space *space = ns->data;

	if (space->key || space->empty)
		return 0;
	TRY(network_restore_enter(r, ns->id, &entered));
	if (space->furnished)
		TRY(repeat_settings(r, space));
	if (space->entry)
		TRY(net_ipsets_restore(space->entry));
	TRY(net_firewall_restore(r, ns, &space->rules, space->furnished));
	TRY(net_conntrack_restore(&space->tracks));
	return space->entry ? net_ipsec_restore(space->entry) : 0;
}

static void inspect_net(const struct namespace *ns, struct outline *to)
{
	const struct net_space *space = ns->data;
	struct outline *list = outline_add_list(to, "devices");

	if (space->key)
		outline_add_text(to, "external", "%s", space->key);
	for (size_t i = 0; i < space->devices.n; i++)
		outline_add_text(list, NULL, "%s", space->devices.items[i]->name);
}

static int tell_needs(const struct restore *r, struct namespace *ns)
{
	const struct net_space *space = ns->data;
	int first = 0;

	if (ns->of_root)
		need_other_addresses(r);
	for (size_t i = 0; space && !space->key && i < space->devices.n; i++) {
		int error = net_link_needs(r, space->devices.items[i]);

		first = first ?: error;
	}
	return first;
}

const struct namespace_kind net_kind = {
	NAMESPACE_KIND("net", CLONE_NEWNET, net_ns_id),
	.joinable = true,
	.nested = true,
	.keepable = true,
	.collect = collect_net,
	.dump = dump_net,
	.load = load_net,
	.needs = tell_needs,
	.inspect = inspect_net,
	.make = make_net,
	.fill = fill_net,
	.settle = settle_net,
};
