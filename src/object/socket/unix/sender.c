/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whom a datagram that waits has come from: recvfrom(2) tells the name of that socket, SCM_CREDENTIALS who has sent it.
 * Such datagrams are put back from a socket of that name.
 */
#include "object/socket/unix/sender.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "object/socket/unix/name.h"
#include "object/socket/unix/unix.h"

/* Abstract names: the socket itself is there already. */
static int find_bound(struct restore *r, const UnixSkEntry *name)
{
	struct unix_socket *other;
	size_t cursor = 0;

	while ((other = table_next(unix_set_of(r)->by_ino, &cursor))) {
		const UnixSkEntry *entry = other->entry;

		if (other->file->fd >= 0 && entry->type == SOCK_DGRAM && entry->name.len == name->name.len &&
		    !memcmp(entry->name.data, name->name.data, name->name.len))
			return other->file->fd;
	}
	return -ENOENT;
}

static int bind_abstract(const UnixSkEntry *name, int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, name->name.data, name->name.len);
	return bind(fd, (struct sockaddr *)&address, offsetof(struct sockaddr_un, sun_path) + name->name.len) < 0
		       ? -errno
		       : 0;
}

bool unix_can_name_sender(const struct unix_socket *to)
{
	bool mutual = to->peer && to->peer->peer == to;

	/* One that has a peer takes nothing from others; nobody finds one without a name. */
	return to->entry->type == SOCK_DGRAM && unix_has_name(to->entry) && !mutual;
}

int unix_open_sender(struct restore *r, const ProtobufCBinaryData *name)
{
	UnixSkEntry entry = UNIX_SK_ENTRY__INIT;
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int bound;

	if (fd < 0)
		return fail_errno("cannot make a unix socket");
	entry.name = *name;
	if (unix_is_path(&entry))
		TRY(unix_bind_hidden(&entry, fd));
	if (unix_is_path(&entry) || !bind_abstract(&entry, fd))
		return TAKE_FD(fd);
	bound = find_bound(r, &entry);
	return bound < 0 ? -ENOENT : fcntl(bound, F_DUPFD_CLOEXEC, 3);
}
