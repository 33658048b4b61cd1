/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/net/tun: network devices made by a program. The device goes with its last file, unless it was made persistent.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/log.h"
#include "object/file/regular/open.h"
#include "object/file/regular/regular.h"
#include "object/file/tun/device.h"
#include "object/namespace/namespace.h"
#include "object/net/net.h"
#include "session/needs.h"

#ifndef TUNGETDEVNETNS
#define TUNGETDEVNETNS _IO('T', 227) /* Linux 5.2 */
#endif

#define MISC_MAJOR 10
#define TUN_MINOR  200
#define KIND_FLAGS \
	(IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE | IFF_NAPI | IFF_NAPI_FRAGS | IFF_NO_CARRIER)

#ifndef IFF_NO_CARRIER
#define IFF_NO_CARRIER 0x0040 /* Linux 5.19 */
#endif

static bool is_tun(const struct open_file *of)
{
	return S_ISCHR(of->stat.st_mode) && of->stat.st_rdev == makedev(MISC_MAJOR, TUN_MINOR) && !(of->flags & O_PATH);
}

/* --- dump --- */

static int find_namespace(const struct dump *d, const struct open_file *of, const char *name, uint32_t *ret)
{
	AUTO_CLOSE int fd = ioctl(of->fd, TUNGETDEVNETNS);
	struct stat st;

	if (fd < 0)
		return fail_errno("asking for the network namespace of device %s", name);
	if (fstat(fd, &st) < 0)
		return fail_errno("looking at the network namespace of device %s", name);
	*ret = network_of_inode(d, st.st_ino);
	return *ret ? 0
		    : refuse(EOPNOTSUPP, "device %s is in a network namespace in which no task of the tree lives",
			     name);
}

static int dump_device(const struct dump *d, const struct open_file *of, const struct ifreq *request,
		       TunfileEntry *record)
{
	AUTO(netns_leave) struct netns_switch entered = NETNS_UNCHANGED;
	TunLinkEntry *link = record->link = pool_new(d->pool, TunLinkEntry);
	int number;

	TRY(find_namespace(d, of, request->ifr_name, &record->ns_id));
	TRY(network_dump_enter(d, record->ns_id, &entered));
	tun_link_entry__init(link);
	link->flags = (uint32_t)(unsigned short)request->ifr_flags;
	record->has_detached = record->detached = link->flags & IFF_DETACH_QUEUE;
	link->flags &= ~(uint32_t)IFF_DETACH_QUEUE;
	if (ioctl(of->fd, TUNGETSNDBUF, &number) < 0)
		return fail_errno("asking for the buffer size of device %s", request->ifr_name);
	link->sndbuf = (uint32_t)number;
	if (ioctl(of->fd, TUNGETVNETHDRSZ, &number) < 0)
		return fail_errno("asking for the size of headers of device %s", request->ifr_name);
	link->vnethdr = (uint32_t)number;
	record->netdev = pool_string(d->pool, request->ifr_name);
	return tun_device_dump(d, record->netdev, record);
}

static int dump_tun(const struct dump *d, const struct open_file *of, FileEntry *out)
{
	FileEntry *path = file_add_entry(d, FD_TYPES__REG, offsetof(FileEntry, reg));
	struct ifreq request = { 0 };

	/* The entry that tells path and flags has the same id. */
	path->id = path->reg->id = out->tunf->id = of->id;
	TRY(regular_dump(d, of, path->reg));
	out->tunf->has_ns_id = of->task->ids && of->task->ids->has_net_ns_id;
	out->tunf->ns_id = out->tunf->has_ns_id ? of->task->ids->net_ns_id : 0;
	if (ioctl(of->fd, TUNGETIFF, &request) == 0)
		return dump_device(d, of, &request, out->tunf);
	if (errno != EBADFD) /* it has none */
		return fail_errno("asking for its network device");
	return 0;
}

/* --- restore --- */

static int load_tun(const struct restore *r, struct file *f)
{
	const TunfileEntry *record = f->entry->tunf;

	if (!f->entry->reg)
		return refuse(EINVAL, "files.img: the entry that tells its path is missing");
	f->users++; /* until settle */
	if (!record->netdev)
		return 0;
	need_other_addresses(r); /* sockets may have those of the device */
	TRY(tun_device_check(record));
	if (!record->link && !network_is_other(restore_namespaces(r), record->ns_id) && !if_nametoindex(record->netdev))
		return refuse(ENOENT, "files.img does not tell how network device %s was made, and it is not there",
			      record->netdev);
	return 0;
}

static int attach_queue(const TunfileEntry *record, int fd)
{
	struct ifreq request = { .ifr_flags = (short)(record->link ? record->link->flags & KIND_FLAGS
								   : IFF_TUN | IFF_NO_PI) };
	unsigned index = record->ifindex;

	strncpy(request.ifr_name, record->netdev, IFNAMSIZ - 1);
	/* Only a wish: the number may be in use. */
	if (record->has_ifindex && !if_nametoindex(record->netdev) && ioctl(fd, TUNSETIFINDEX, &index) < 0)
		log_debug("device %s will have another index than %u", record->netdev, index);
	if (ioctl(fd, TUNSETIFF, &request) == 0)
		return 0;
	index = 0;
	if (errno == EBUSY && ioctl(fd, TUNSETIFINDEX, &index) == 0 && ioctl(fd, TUNSETIFF, &request) == 0)
		return 0;
	if (errno == EBUSY)
		return refuse(EBUSY, "network device %s is in use by somebody else", record->netdev);
	return fail_errno("making network device %s", record->netdev);
}

/* What netlink does not tell of a device. */
static int set_sizes(const TunfileEntry *record, int fd)
{
	int sndbuf = (int)record->link->sndbuf, header = (int)record->link->vnethdr;

	if (header && ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		return fail_errno("setting the size of headers of device %s", record->netdev);
	if (sndbuf > 0 && ioctl(fd, TUNSETSNDBUF, &sndbuf) < 0)
		return fail_errno("setting the buffer size of device %s", record->netdev);
	return 0;
}

static int set_up(const TunfileEntry *record, int fd)
{
	if (record->link->owner != -1 && ioctl(fd, TUNSETOWNER, (long)record->link->owner) < 0)
		return fail_errno("setting the owner of device %s", record->netdev);
	if (record->link->group != -1 && ioctl(fd, TUNSETGROUP, (long)record->link->group) < 0)
		return fail_errno("setting the group of device %s", record->netdev);
	TRY(set_sizes(record, fd));
	return tun_device_configure(record);
}

/* A queue that is switched off belongs to its device still. */
static int switch_off(const TunfileEntry *record, int fd)
{
	struct ifreq request = { .ifr_flags = IFF_DETACH_QUEUE };

	if (record->detached && ioctl(fd, TUNSETQUEUE, &request) < 0)
		return fail_errno("switching off a queue of device %s", record->netdev);
	return 0;
}

static int create_tun(struct restore *r, struct file *f)
{
	const TunfileEntry *record = f->entry->tunf;
	bool is_there = record->netdev && if_nametoindex(record->netdev);
	AUTO_CLOSE int fd = -1;

	TRY(regular_open(r, f->entry->reg, 0, &fd));
	TRY(file_apply_flags(fd, f->entry->reg->flags, f->entry->reg->fown));
	if (record->netdev)
		TRY(attach_queue(record, fd));
	if (record->netdev && record->link && !is_there)
		TRY(set_up(record, fd));
	else if (record->netdev && record->link && network_is_other(restore_namespaces(r), record->ns_id))
		TRY(set_sizes(record, fd)); /* the device was made with its namespace */
	TRY(switch_off(record, fd));
	f->fd = TAKE_FD(fd);
	return 0;
}

static int need_tun(const struct restore *r, struct file *f)
{
	(void)f;
	need_feature(r, FEATURE_ID_tun);
	return 0;
}

/* From now on it stays, whatever happens. */
static int settle_tun(struct restore *r, struct file *f)
{
	const TunfileEntry *record = f->entry->tunf;
	int fd;

	TRY(file_get_fd(r, f, &fd));
	if (record->netdev && record->persistent && ioctl(fd, TUNSETPERSIST, 1L) < 0)
		return fail_errno("making device %s persistent", record->netdev);
	/* One of another namespace was made so, to wait for us. */
	if (record->netdev && !record->persistent && network_is_other(restore_namespaces(r), record->ns_id) &&
	    ioctl(fd, TUNSETPERSIST, 0L) < 0)
		return fail_errno("letting device %s go with its last file", record->netdev);
	file_put(r, f);
	return 0;
}

const struct file_kind tun_kind = {
	.name = "tun",
	.type = FD_TYPES__TUNF,
	.entry = offsetof(FileEntry, tunf),
	.is = is_tun,
	.dump = dump_tun,
	.load = load_tun,
	.needs = need_tun,
	.early = true, /* others may be bound to the device or its addresses */
	.create = create_tun,
	.settle = settle_tun,
};
