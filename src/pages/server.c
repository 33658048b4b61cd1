/* SPDX-License-Identifier: GPL-2.0-only */
/* The page server while it takes pages: one client, one object at a time, pages to disk as they come. */
#include "pages/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "base/meter.h"
#include "base/pool.h"
#include "image/pagemap-image.h"
#include "image/store.h"
#include "pages/mover.h"
#include "pages/protocol.h"

/* A shorter run of zeros is written like data: a hole costs a call more. */
#define PIECE (16u << 10)

/* The object whose pages come now, and its images. */
struct received_object {
	uint64_t name; /* as the client names it, 0 if none is open */
	struct pagemap_writer *pagemap;
	struct image *pages;
	int fd;	       /* its descriptor */
	uint64_t size; /* bytes of pages so far */
	bool has_parent;
	struct pagemap parent; /* what PE_PARENT ranges must be in */
};

struct session {
	struct peer *peer;
	struct meter *meter;
	struct store *store;
	uint32_t next_pages_id;
	struct received_object object;
	bool any;     /* something has come */
	void *buffer; /* PAGE_BLOCK_SIZE */
};

/* What an object of the protocol is in the images. */
static int find_image(uint64_t object, enum image_id *ret_id, uint64_t *ret_number)
{
	*ret_number = object >> 8;
	switch (object & 0xff) {
	case PAGE_OBJECT_TASK:
	case 10: /* these are of old clients */
	case 11:
	case 16:
	case 17:
		*ret_id = IMAGE_PAGEMAP;
		return 0;
	case PAGE_OBJECT_SHARED:
	case 27 ... 29:
	case 32 ... 34:
		*ret_id = IMAGE_PAGEMAP_SHMEM;
		return 0;
	default:
		return refuse(EPROTO, "the client names an object of the unknown type %u", (unsigned)(object & 0xff));
	}
}

static void object_abandon(struct received_object *object)
{
	pagemap_abandon(&object->pagemap);
	image_close(&object->pages);
	pagemap_done(&object->parent);
	*object = (struct received_object){ 0 };
}

/* What is complete goes to disk. */
static int object_close(struct received_object *object)
{
	int result;

	if (!object->name)
		return 0;
	result = pagemap_finish(&object->pagemap);
	if (result == 0 && ftruncate(object->fd, (off_t)object->size) < 0)
		result = fail_errno("cannot make %s %" PRIu64 " bytes long", image_get_name(object->pages),
				    object->size);
	if (result == 0)
		result = image_finish(&object->pages);
	object_abandon(object);
	return result;
}

/* The pagemap of the object in the parent images: 1, or 0 if there is none. */
static int read_parent(const struct session *session, enum image_id id, uint64_t number, struct pagemap *ret)
{
	struct store *parent;
	int result = store_get_parent(session->store, &parent);

	if (result == 0)
		result = pagemap_read(parent, id, number, ret);
	return result == -ENOENT ? 0 : result < 0 ? result : 1;
}

static int object_open(struct session *session, uint64_t name)
{
	struct received_object *object = &session->object;
	enum image_id id;
	uint64_t number;
	int result;

	TRY(find_image(name, &id, &number));
	TRY(object_close(object));
	LOG_SCOPE("%s %" PRIu64, id == IMAGE_PAGEMAP ? "process" : "shared memory", number);
	result = read_parent(session, id, number, &object->parent);
	TRY(result);
	object->has_parent = result;
	TRY(pagemap_create(session->store, id, number, session->next_pages_id, &object->pagemap));
	TRY(image_create(session->store, &object->pages, IMAGE_PAGES, session->next_pages_id++));
	object->fd = image_fd(object->pages);
	TRY(object->fd);
	object->name = name;
	log_info("Its memory comes; %s",
		 object->has_parent ? "there are parent images of it" : "it has no parent images");
	return 0;
}

/* Pages that are in the parent must be there: else the client has another parent in mind. */
static int check_in_parent(const struct received_object *object, uint64_t start, uint64_t nr_pages)
{
	const uint64_t end = start + nr_pages * page_size();

	while (start < end) {
		const struct page_range *range = object->has_parent ? pagemap_find(&object->parent, start) : NULL;

		if (!range || range->start > start)
			return refuse(EINVAL,
				      "the client says that the pages at %#" PRIx64
				      " are in the parent images, but there they "
				      "are not: --prev-images-dir of client and server must name the same dump",
				      start);
		start = range->start + range->nr_pages * page_size();
	}
	return 0;
}

/* Zeros are left out: the file has holes there. */
static int write_pages(struct received_object *object, const char *data, size_t size)
{
	for (size_t at = 0, run; at < size; at += run) {
		bool zero = page_is_zero(data + at, size - at < PIECE ? size - at : PIECE);
		int result = 0;

		for (run = 0; at + run < size; run += PIECE)
			if (page_is_zero(data + at + run, size - at - run < PIECE ? size - at - run : PIECE) != zero)
				break;
		if (run > size - at)
			run = size - at;
		if (!zero)
			result = io_pwrite(object->fd, data + at, run, (off_t)(object->size + at));
		if (result < 0)
			return fail(-result, "cannot write %zu bytes to %s", run, image_get_name(object->pages));
	}
	object->size += size;
	return 0;
}

static int receive_pages(struct session *session, uint64_t nr_pages)
{
	for (uint64_t left = nr_pages * page_size(); left;) {
		size_t size = left < PAGE_BLOCK_SIZE ? left : PAGE_BLOCK_SIZE;

		TRY(peer_receive_all(session->peer, session->buffer, size));
		TRY(write_pages(&session->object, session->buffer, size));
		TRY(meter_pass(session->meter, size, size));
		left -= size;
	}
	return 0;
}

static int add_pages(struct session *session, const struct page_message *message, uint32_t flags)
{
	struct received_object *object = &session->object;

	if (!object->name || message->object != object->name)
		return refuse(EPROTO, "the client sends pages of an object that it has not opened");
	if (flags & ~(uint32_t)(PE_PARENT | PE_LAZY | PE_PRESENT) || (flags & PE_PARENT && flags & PE_PRESENT))
		return refuse(EPROTO, "the client sends pages with flags that make no sense: %#x", flags);
	/* What it says of shared memory and of tasks stays below this. */
	if (message->start % page_size() || message->start > INT64_MAX ||
	    message->nr_pages > (INT64_MAX - message->start) / page_size() ||
	    message->nr_pages > (INT64_MAX - object->size) / page_size())
		return refuse(EPROTO, "the client sends %" PRIu64 " pages at %#" PRIx64 ": that cannot be",
			      message->nr_pages, message->start);
	if (flags & PE_PARENT)
		TRY(check_in_parent(object, message->start, message->nr_pages));
	TRY(pagemap_append(object->pagemap, message->start, message->nr_pages, flags, NULL));
	return flags & PE_PRESENT ? receive_pages(session, message->nr_pages) : 0;
}

static int send_answer(struct session *session, const void *data, size_t size)
{
	struct iovec part = { (void *)data, size };

	return peer_send(session->peer, &part, 1);
}

static int open_and_answer(struct session *session, uint64_t name)
{
	char has_parent;

	TRY(object_open(session, name));
	has_parent = session->object.has_parent;
	return send_answer(session, &has_parent, 1);
}

static int answer_parent(struct session *session, uint64_t name)
{
	struct pagemap parent = { 0 };
	enum image_id id;
	uint64_t number;
	int32_t has_parent;

	TRY(find_image(name, &id, &number));
	has_parent = read_parent(session, id, number, &parent);
	TRY(has_parent);
	pagemap_done(&parent);
	return send_answer(session, &has_parent, sizeof(has_parent));
}

/* All is there. A client that connected to us closes the connection first, and nothing may come before it does. */
static int end_session(struct session *session, bool client_stays)
{
	int32_t status = object_close(&session->object);
	char more;
	int result;

	TRY(send_answer(session, &status, sizeof(status)));
	TRY(status);
	TRY(peer_finish(session->peer));
	if (client_stays || peer_is_borrowed(session->peer))
		return 0;
	result = peer_receive(session->peer, &more, 1);
	TRY(result);
	return result ? refuse(EPROTO, "the client goes on after it said that it was all") : 0;
}

/* 1: there is more to come. */
static int serve_message(struct session *session, const struct page_message *message)
{
	const uint32_t flags = message->command >> 16;

	switch (message->command & 0xffff) {
	case PAGE_ADD_OLD:
		return add_pages(session, message, PE_PRESENT) ?: 1;
	case PAGE_HOLE_OLD:
		return add_pages(session, message, PE_PARENT) ?: 1;
	case PAGE_ADD:
		return add_pages(session, message, flags) ?: 1;
	case PAGE_OPEN_OLD:
		return object_open(session, message->object) ?: 1;
	case PAGE_OPEN:
		return open_and_answer(session, message->object) ?: 1;
	case PAGE_PARENT:
		return answer_parent(session, message->object) ?: 1;
	case PAGE_CLOSE:
		return end_session(session, false);
	case PAGE_FORCE_CLOSE:
		return end_session(session, true);
	case PAGE_GET:
		return refuse(EPROTO,
			      "the client asks for pages, but this server takes them: start it with --lazy-pages");
	default:
		return refuse(EPROTO, "the client sends the unknown command %#x", message->command);
	}
}

static int serve_session(struct session *session)
{
	struct page_message message;
	int more;

	do {
		more = peer_receive(session->peer, &message, sizeof(message));
		TRY(more);
		if (!more)
			return session->any
				       ? refuse(ECONNRESET,
						"the client went away before it said that it was all: what has come is "
						"not complete")
				       : 0;
		session->any = true;
		more = serve_message(session, &message);
	} while (more > 0);
	return more;
}

bool page_server_is_greeting(uint32_t word)
{
	switch (word & 0xffff) {
	case PAGE_ADD_OLD ... PAGE_GET:
	case PAGE_CLOSE & 0xffff:
	case PAGE_FORCE_CLOSE & 0xffff:
		return true;
	default:
		return false;
	}
}

int page_server_receive(struct peer *peer, struct store *store, struct meter *meter)
{
	struct session session = {
		.peer = peer,
		.store = store,
		.meter = meter,
		.next_pages_id = PAGE_SERVER_FIRST_ID,
		.buffer = xmalloc(PAGE_BLOCK_SIZE),
	};
	int result = serve_session(&session);

	object_abandon(&session.object);
	free(session.buffer);
	return result;
}
