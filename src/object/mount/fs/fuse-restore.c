/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Restore of FUSE file systems whose server is in the tree. Each is mounted with a /dev/fuse of ours, the kernel's
 * FUSE_INIT is answered as the server once did, and the server gets that descriptor. Until it runs nobody walks in.
 */
#include "object/mount/fs/fuse-restore.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "image/record.h"
#include "kern/mountapi.h"
#include "object/mount/mount-set.h"
#include "object/mount/mount.h"
#include "object/mount/tree.h"
#include "session/session.h"

#define DEVICE "/dev/fuse"

int fuse_load(const struct restore *r, struct superblock *super)
{
	int result;

	if (super->fuse || !super->widest || super->widest->entry->fstype != FSTYPE__FUSE)
		return 0;
	LOG_SCOPE("mount %u on %.60s", super->widest->entry->mnt_id, super->widest->entry->mountpoint);
	result = image_read_one(r->store, IMAGE_FUSE, &super->fuse, super->dev);
	if (result == -ENOENT)
		return refuse(ENOENT, "fuse-%u.img, which tells how it is served, is missing", super->dev);
	return result;
}

static char *choose_options(struct restore *r, const struct superblock *super)
{
	const MntEntry *entry = super->widest->entry;
	AUTO(buffer_done) struct buffer text = { 0 };
	const char *subtype = entry->fsname ? strchr(entry->fsname, '.') : NULL;

	buffer_printf(&text, "fd=%d,rootmode=%o", super->server, super->fuse->root_mode & S_IFMT);
	if (entry->options[0])
		buffer_printf(&text, ",%s", entry->options);
	if (subtype)
		buffer_printf(&text, ",subtype=%s", subtype + 1);
	return pool_string(r->pool, text.data);
}

struct init_request {
	struct fuse_in_header head;
	struct fuse_init_in body;
	uint8_t rest[FUSE_MIN_READ_BUFFER];
};

struct init_answer {
	struct fuse_out_header head;
	struct fuse_init_out body;
};

/* What the server has once agreed upon, if the kernel still offers it. */
static int answer_init(const struct superblock *super)
{
	const FuseEntry *record = super->fuse;
	struct init_answer answer = { .head.len = sizeof(answer), .body.major = FUSE_KERNEL_VERSION };
	struct init_request request = { 0 };
	ssize_t size = read(super->server, &request, sizeof(request));
	uint64_t offered, flags = record->flags | FUSE_INIT_EXT;

	if (size < 0)
		return fail_errno("reading what the kernel asks its server (FUSE_INIT)");
	if (request.head.opcode != FUSE_INIT || request.body.major != FUSE_KERNEL_VERSION)
		return refuse(EPROTO, "the kernel asks its server for %u, not for FUSE_INIT of version %u",
			      request.head.opcode, FUSE_KERNEL_VERSION);
	offered = request.body.flags | (uint64_t)request.body.flags2 << 32;
	if (request.body.minor < record->minor || record->flags & ~offered)
		return refuse(EOPNOTSUPP,
			      "its server knows version 7.%u of FUSE with the features 0x%lx, this kernel 7.%u with "
			      "0x%lx",
			      record->minor, (unsigned long)record->flags, request.body.minor, (unsigned long)offered);
	if (!(offered & FUSE_INIT_EXT))
		flags &= ~(uint64_t)FUSE_INIT_EXT;
	answer.head.unique = request.head.unique;
	answer.body.minor = record->minor;
	answer.body.max_readahead = record->max_readahead;
	answer.body.flags = (uint32_t)flags;
	answer.body.flags2 = (uint32_t)(flags >> 32);
	answer.body.max_background = (uint16_t)record->max_background;
	answer.body.congestion_threshold = (uint16_t)record->congestion_threshold;
	answer.body.max_write = record->max_write;
	answer.body.time_gran = record->time_gran;
	answer.body.max_pages = (uint16_t)record->max_pages;
	return write(super->server, &answer, sizeof(answer)) == (ssize_t)sizeof(answer)
		       ? 0
		       : fail_errno("answering FUSE_INIT for its server");
}

int fuse_make(struct restore *r, struct superblock *super)
{
	const MntEntry *entry = super->widest->entry;
	const char *options;
	AUTO_CLOSE int context = -1;

	LOG_SCOPE("mount %u on %.60s", entry->mnt_id, entry->mountpoint);
	/* By us: the kernel wants it opened in the user namespace that the file system belongs to. */
	super->server = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (super->server < 0)
		return fail_errno("opening " DEVICE);
	context = fsopen("fuse", FSOPEN_CLOEXEC);
	if (context < 0)
		return fail_errno("fsopen (is FUSE known here?)");
	options = choose_options(r, super);
	super->fd = mountapi_make(context, entry->source, options, entry->sb_flags);
	TRY(super->fd);
	return answer_init(super);
}

int mount_restore_fuse(const struct restore *r, uint32_t dev)
{
	const struct superblock *super = restore_mounts(r) ? restore_mounts(r)->supers : NULL;

	while (super && (super->dev != dev || !super->fuse))
		super = super->next;
	return super ? super->server : -ENOENT;
}
