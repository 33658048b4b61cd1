/* SPDX-License-Identifier: GPL-2.0-only */
/* What stat(2) does not show of an inode, both directions: extended attributes, the write hint. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/pool.h"
#include "object/file/file.h"

static GhostXattrEntry *read_xattr(struct pool *pool, const char *path, const char *name)
{
	GhostXattrEntry *xattr = pool_new(pool, GhostXattrEntry);
	ssize_t size = getxattr(path, name, NULL, 0);

	ghost_xattr_entry__init(xattr);
	xattr->name = pool_string(pool, name);
	xattr->value.data = pool_alloc(pool, size > 0 ? (size_t)size : 1);
	size = size < 0 ? size : getxattr(path, name, xattr->value.data, (size_t)size);
	if (size < 0) {
		log_warn("its extended attribute %s cannot be read: %s", name, strerror(errno));
		return NULL;
	}
	xattr->value.len = (size_t)size;
	return xattr;
}

size_t inode_read_xattrs(struct pool *pool, const char *path, GhostXattrEntry ***ret)
{
	AUTO_FREE char *names = NULL;
	ssize_t size = listxattr(path, NULL, 0);
	size_t n = 0;

	if (size <= 0)
		return 0;
	names = xzalloc((size_t)size + 1);
	size = listxattr(path, names, (size_t)size);
	for (ssize_t i = 0; i < size; i += (ssize_t)strlen(names + i) + 1)
		n++;
	*ret = pool_array(pool, GhostXattrEntry *, n + 1);
	n = 0;
	for (ssize_t i = 0; i < size; i += (ssize_t)strlen(names + i) + 1) {
		(*ret)[n] = read_xattr(pool, path, names + i);
		n += (*ret)[n] != NULL;
	}
	return n;
}

void inode_set_xattrs(const char *path, GhostXattrEntry *const *xattrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (setxattr(path, xattrs[i]->name, xattrs[i]->value.data, xattrs[i]->value.len, 0) < 0)
			log_warn("its extended attribute %.80s cannot be set: %s", xattrs[i]->name, strerror(errno));
}

uint32_t inode_read_write_hint(int fd)
{
	uint64_t hint = 0;

	return fcntl(fd, F_GET_RW_HINT, &hint) < 0 ? 0 : (uint32_t)hint;
}

void inode_set_write_hint(int fd, uint32_t hint)
{
	uint64_t value = hint;

	if (hint && fcntl(fd, F_SET_RW_HINT, &value) < 0)
		log_warn("its write hint %u (F_SET_RW_HINT) cannot be set: %s", hint, strerror(errno));
}
