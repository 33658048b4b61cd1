/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dump: messages that nobody has read, with open files of a FUSE file system that is served in the tree. Who looks at
 * such a message has the file open, and waits for the server when he closes it (FUSE_FLUSH), which stands still. So
 * they are looked for before, in the kernel's memory.
 */
#include "object/socket/unix/served.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "base/fail.h"
#include "object/mount/mount.h"
#include "object/socket/view.h"

#define MESSAGES_MAX 100000
#define MINOR_BITS   20 /* of a device in the kernel */

static int look_at_file(const struct dump *d, struct kernel_view *view, uint64_t file)
{
	uint32_t flags, dev;
	uint64_t inode, super;

	if (!kernel_view_read(view, file, "file", "f_flags", &flags, sizeof(flags)) ||
	    !kernel_view_read(view, file, "file", "f_inode", &inode, sizeof(inode)) ||
	    !kernel_view_read(view, inode, "inode", "i_sb", &super, sizeof(super)) ||
	    !kernel_view_read(view, super, "super_block", "s_dev", &dev, sizeof(dev)))
		return -EFAULT;
	if (flags & O_PATH || !mount_dump_is_served(d, makedev(dev >> MINOR_BITS, dev & ((1u << MINOR_BITS) - 1))))
		return 0;
	return refuse(EOPNOTSUPP,
		      "an unread message has an open file of a FUSE file system that is served in the tree: "
		      "that cannot be looked at while its server stands still; read it before the dump");
}

static int look_at_message(const struct dump *d, struct kernel_view *view, uint64_t message)
{
	uint64_t files, file, at;
	uint16_t n;

	if (!kernel_view_read(view, kernel_view_place(view, message, "sk_buff", "cb"), "unix_skb_parms", "fp", &files,
			      sizeof(files)))
		return -EFAULT;
	if (!files)
		return 0;
	at = kernel_view_place(view, files, "scm_fp_list", "fp");
	if (!at || !kernel_view_read(view, files, "scm_fp_list", "count", &n, sizeof(n)))
		return -EFAULT;
	for (unsigned i = 0; i < n; i++) {
		if (!kernel_view_read_at(view, at + i * sizeof(file), &file, sizeof(file)))
			return -EFAULT;
		TRY(look_at_file(d, view, file));
	}
	return 0;
}

static int look_at_queue(const struct dump *d, struct kernel_view *view, int fd)
{
	const uint64_t queue = kernel_view_place(view, socket_view_sock(view, fd), "sock", "sk_receive_queue");
	uint64_t message;

	if (!kernel_view_read(view, queue, "sk_buff_head", "next", &message, sizeof(message)))
		return -EFAULT;
	for (unsigned n = 0; message != queue && n < MESSAGES_MAX; n++) {
		TRY(look_at_message(d, view, message));
		if (!kernel_view_read(view, message, "sk_buff", "next", &message, sizeof(message)))
			return -EFAULT;
	}
	return 0;
}

int unix_check_served(const struct dump *d, int fd)
{
	struct kernel_view *view;
	const char *why;
	int error;

	if (!mount_dump_serves(d))
		return 0;
	view = kernel_view_get(d, &why);
	error = view ? look_at_queue(d, view, fd) : -EFAULT;
	return error != -EFAULT
		       ? error
		       : refuse(EOPNOTSUPP,
				"whether its unread messages have open files of a FUSE file system that is served in "
				"the tree shows in the kernel's memory only, which cannot be read%s%s",
				why ? ": " : "", why ?: "");
}
