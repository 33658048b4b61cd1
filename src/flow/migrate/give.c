/* SPDX-License-Identifier: GPL-2.0-only */
/* --post-copy, where the program comes from: memory of stopped tasks for those that run on the other side. */
#include "flow/migrate/give.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/meter.h"
#include "base/page.h"
#include "base/pool.h"
#include "flow/migrate/wire.h"
#include "image/pagemap-image.h"
#include "pages/protocol.h"
#include "pages/supply.h"

#define MOST_PAGES ((MIGRATE_PAYLOAD_MAX - sizeof(struct page_message)) / page_size())

static int give_pages(struct giving *giving, struct wire *wire)
{
	AUTO_FREE char *answer = xmalloc(MIGRATE_PAYLOAD_MAX);
	struct page_message message;
	const size_t head = sizeof(message);
	int64_t n;
	size_t size;

	if (!giving->supply || wire->payload.size != head)
		return refuse(EPROTO, "the other side asks for memory in a way that makes no sense");
	memcpy(&message, wire->payload.data, head);
	if ((message.command & 0xffff) != PAGE_GET || !message.nr_pages || message.start % page_size())
		return refuse(EPROTO, "the other side asks for %" PRIu64 " pages at %#" PRIx64 ": that cannot be",
			      message.nr_pages, message.start);
	n = giving->supply->read(giving->supply, message.object, message.start,
				 message.nr_pages < MOST_PAGES ? message.nr_pages : MOST_PAGES, answer + head);
	TRY(n);
	size = (size_t)n * page_size();
	message.command = page_command_make(PAGE_ADD, PE_PRESENT);
	message.nr_pages = (uint64_t)n;
	memcpy(answer, &message, head);
	TRY(wire_send(wire, MIGRATE_PAGES, 0, answer, head + size));
	giving->bytes += size;
	return meter_pass(giving->meter, size, size);
}

int giving_receive(struct giving *giving, struct wire *wire, unsigned seconds)
{
	int result;

	while ((result = wire_receive(wire, seconds)) > 0 && wire->head.kind == MIGRATE_WANT)
		TRY(give_pages(giving, wire));
	return result;
}
