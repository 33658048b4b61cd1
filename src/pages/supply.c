/* SPDX-License-Identifier: GPL-2.0-only */
/* The page server while it gives pages: to whoever restores lazily, as they are asked for. */
#include "pages/supply.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/meter.h"
#include "base/pool.h"
#include "image/pagemap-image.h"
#include "pages/mover.h"
#include "pages/peer.h"
#include "pages/protocol.h"

#define MOST_PAGES (PAGE_BLOCK_SIZE / page_size())

static int give_pages(struct peer *peer, struct page_supply *supply, const struct page_message *wanted, void *buffer,
		      struct meter *meter)
{
	struct page_message head = {
		.command = page_command_make(PAGE_ADD, PE_PRESENT),
		.start = wanted->start,
		.object = wanted->object,
	};
	struct iovec parts[2] = { { &head, sizeof(head) }, { buffer, 0 } };
	int64_t n;

	if (!wanted->nr_pages || wanted->start % page_size())
		return refuse(EPROTO, "the client asks for %" PRIu64 " pages at %#" PRIx64 ": that cannot be",
			      wanted->nr_pages, wanted->start);
	n = supply->read(supply, wanted->object, wanted->start,
			 wanted->nr_pages < MOST_PAGES ? wanted->nr_pages : MOST_PAGES, buffer);
	TRY(n);
	head.nr_pages = (uint64_t)n;
	parts[1].iov_len = (size_t)n * page_size();
	TRY(peer_send(peer, parts, 2));
	return meter_pass(meter, parts[1].iov_len, parts[1].iov_len);
}

static int say_goodbye(struct peer *peer)
{
	int32_t status = 0;
	struct iovec part = { &status, sizeof(status) };

	TRY(peer_send(peer, &part, 1));
	TRY(peer_finish(peer));
	return 1;
}

int page_server_supply(struct peer *peer, struct page_supply *supply, struct meter *meter)
{
	AUTO_FREE void *buffer = xmalloc(PAGE_BLOCK_SIZE);
	struct page_message message;

	for (;;) {
		int more = peer_receive(peer, &message, sizeof(message));

		TRY(more);
		if (!more)
			return 0;
		switch (message.command & 0xffff) {
		case PAGE_GET:
			TRY(give_pages(peer, supply, &message, buffer, meter));
			break;
		case PAGE_CLOSE:
		case PAGE_FORCE_CLOSE:
			return say_goodbye(peer);
		default:
			return refuse(EPROTO,
				      "the client sends the command %#x, which is none for a server that gives pages",
				      message.command);
		}
	}
}
