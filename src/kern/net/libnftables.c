/* SPDX-License-Identifier: LGPL-2.1-only */
/* The functions of libnftables, which is loaded when rules are read or set. */
#include "kern/net/libnftables.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"

#define LIBRARY_TABLE libnftables

#ifdef STATIC_BUILD
struct libnftables libnftables = { LIBNFTABLES(LIBRARY_LINKED) };
#else
struct libnftables libnftables;
#endif

int libnftables_load(void)
{
	static const struct loaded_symbol symbols[] = { LIBNFTABLES(LIBRARY_SYMBOL) };

	return symbols_load("libnftables.so.1", symbols, ARRAY_SIZE(symbols));
}

/* --- its socket has a low number --- */

/* As many contexts at once: one for each port that is shut while clients wait there. */
#define ROOM	   64
#define ROOM_BEGIN (FD_SETSIZE - ROOM)
#define MARGIN	   64 /* what other threads may open meanwhile */
#define ROOM_NAME  "criu-low-numbers"

void libnftables_keep_room(void)
{
	int fd = memfd_create(ROOM_NAME, MFD_CLOEXEC), number = -1;

	if (fd < 0)
		return;
	do
		number = fcntl(fd, F_DUPFD_CLOEXEC, ROOM_BEGIN);
	while (number >= 0 && number < FD_SETSIZE);
	if (number >= 0)
		close(number);
	close(fd);
}

static bool is_crowded(void)
{
	int lowest = open("/", O_PATH | O_CLOEXEC);

	if (lowest >= 0)
		close(lowest);
	return lowest < 0 || lowest >= ROOM_BEGIN - MARGIN;
}

static bool is_kept(int number)
{
	char path[40], name[64];
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", number);
	size = readlink(path, name, sizeof(name) - 1);
	name[size < 0 ? 0 : size] = '\0';
	return strncmp(name, "/memfd:" ROOM_NAME, strlen("/memfd:" ROOM_NAME)) == 0;
}

/* Its own, or free: then it has a lower one. */
static bool has_low_number(int number)
{
	int protocol = -1;
	socklen_t size = sizeof(protocol);

	if (fcntl(number, F_GETFD) < 0)
		return true;
	return getsockopt(number, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == NETLINK_NETFILTER;
}

struct nft_ctx *libnftables_begin(void)
{
	/* What stands in for the library does not wait in this way. */
	if (IS_STATIC_BUILD || !is_crowded())
		return libnftables.nft_ctx_new(NFT_CTX_DEFAULT);
	for (int number = ROOM_BEGIN; number < FD_SETSIZE; number++) {
		struct nft_ctx *ctx;

		if (!is_kept(number))
			continue;
		close(number);
		ctx = libnftables.nft_ctx_new(NFT_CTX_DEFAULT);
		if (!ctx || has_low_number(number))
			return ctx;
		libnftables.nft_ctx_free(ctx); /* another thread has taken the number */
	}
	errno = EMFILE;
	return NULL;
}

void libnftables_end(struct nft_ctx *ctx)
{
	libnftables.nft_ctx_free(ctx);
	if (!IS_STATIC_BUILD && is_crowded())
		libnftables_keep_room();
}
