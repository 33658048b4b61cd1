/* SPDX-License-Identifier: GPL-2.0-only */
/* How the lazy-pages daemon gets pages: what a task waits for at once, all the rest by threads in the background. */
#include "pages/lazy/lazy-fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/io.h"
#include "base/log.h"
#include "image/pagemap-image.h"
#include "base/urgent.h"
#include "pages/mover.h"
#include "pages/protocol.h"

#define STEP	  (64u << 10)
#define MOST_STEP PAGE_BLOCK_SIZE
/* So many ranges are asked for before the first has come. */
#define MOST_REQUESTS 2
/* As many do not fill the socket, however slow the server is. */
#define MOST_FAULTS 128
/* What comes with a page that is waited for. */
#define FAULT_SIZE (16u << 10)

static void report_progress(const struct lazy *lazy)
{
	const uint64_t one = 1;

	(void)io_write(lazy->signal, &one, sizeof(one));
}

static void set_failure(struct lazy *lazy, int error)
{
	int none = 0;

	atomic_compare_exchange_strong(&lazy->failure, &none, error);
	report_progress(lazy);
}

static uint64_t grow_step(struct lazy *lazy)
{
	uint64_t step = atomic_load(&lazy->step);

	if (step < MOST_STEP)
		atomic_store(&lazy->step, step + STEP);
	return step;
}

/* --- images --- */

/* size bytes that are all in one range. */
static int read_images(const struct lazy_source *source, uint64_t origin, uint64_t size, void *to)
{
	const struct page_reader *reader = source->reader;
	size_t low = 0, high = reader->n;
	const struct stored_range *range;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (reader->ranges[middle].start <= origin)
			low = middle;
		else
			high = middle;
	}
	range = &reader->ranges[low];
	return pages_file_read(range->file, to, size, range->offset + (origin - range->start));
}

/* Again and again until the event that is in the way was read. */
static int deliver_pages(struct lazy_thread *thread, struct lazy_source *source, uint64_t origin, const void *data,
			 uint64_t size)
{
	struct lazy *lazy = thread->lazy;
	int result;

	for (;;) {
		pthread_mutex_lock(&thread->placing);
		result = lazy_source_deliver(source, origin, data, size);
		pthread_mutex_unlock(&thread->placing);
		if (result != -EAGAIN || atomic_load(&lazy->failure))
			break;
		usleep(50);
	}
	report_progress(lazy);
	return result;
}

typedef bool claim_fn(struct lazy_space *space, bool remote, uint64_t size, struct lazy_range *ret);

static struct lazy_source *claim_by(struct lazy *lazy, claim_fn *claim, bool remote, uint64_t size,
				    struct lazy_range *ret)
{
	struct lazy_source *source;
	struct lazy_space *space;

	list_for_each(source, &lazy->sources, link) {
		list_for_each(space, &source->spaces, link) {
			if (claim(space, remote, size, ret))
				return source;
		}
	}
	return NULL;
}

static struct lazy_source *claim_range(struct lazy_thread *thread, bool remote, struct lazy_range *ret)
{
	struct lazy *lazy = thread->lazy;
	const uint64_t step = grow_step(lazy);
	struct lazy_source *found = NULL;

	pthread_mutex_lock(&thread->placing);
	if (atomic_exchange(&lazy->ahead, false)) {
		found = claim_by(lazy, lazy_space_claim_ahead, remote, step, ret);
		if (found)
			atomic_store(&lazy->ahead, true);
	}
	if (!found)
		found = claim_by(lazy, lazy_space_claim_any, remote, step, ret);
	pthread_mutex_unlock(&thread->placing);
	return found;
}

static void *make_buffer(void)
{
	void *buffer = mmap(NULL, PAGE_BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return buffer == MAP_FAILED ? NULL : buffer;
}

static int fetch_loop(struct lazy_thread *thread, void *buffer)
{
	struct lazy_source *source;
	struct lazy_range range;

	while (!atomic_load(&thread->lazy->failure) && (source = claim_range(thread, false, &range))) {
		TRY(read_images(source, range.origin, range.size, buffer));
		TRY(deliver_pages(thread, source, range.origin, buffer, range.size));
	}
	return 0;
}

static void *run_worker(void *arg)
{
	struct lazy_thread *thread = arg;
	void *buffer = make_buffer();
	int result = buffer ? fetch_loop(thread, buffer) : fail(ENOMEM, "no memory for pages on their way");

	if (result < 0 && result != -EAGAIN)
		set_failure(thread->lazy, result);
	if (buffer)
		munmap(buffer, PAGE_BLOCK_SIZE);
	return NULL;
}

/* --- the page server --- */

/* With the lock. */
static int request_range(struct lazy *lazy, struct lazy_source *source, const struct lazy_range *range)
{
	struct page_message message = {
		.command = page_command_make(PAGE_GET, 0),
		.nr_pages = range->size / page_size(),
		.start = range->origin,
		.object = source->pid,
	};
	struct iovec part = { &message, sizeof(message) };

	*vector_push(&lazy->requests) = (struct lazy_request){ source, range->origin, range->size };
	pthread_cond_signal(&lazy->more);
	return peer_send(lazy->server, &part, 1);
}

/* Keeps the connection busy. With the lock. */
static int ask_for_more(struct lazy *lazy)
{
	struct lazy_range range;

	while (lazy->background && !lazy->stop && lazy->requests.n < MOST_REQUESTS) {
		struct lazy_source *source = claim_range(&lazy->receiver, true, &range);

		if (!source)
			break;
		TRY(request_range(lazy, source, &range));
	}
	return 0;
}

static int receive_answer(struct lazy *lazy, const struct lazy_request *request, char *buffer, uint64_t *ret_size)
{
	struct page_message message;

	TRY(peer_receive_all(lazy->server, &message, sizeof(message)));
	if ((message.command & 0xffff) != PAGE_ADD || !(message.command >> 16 & PE_PRESENT) ||
	    message.start != request->origin || message.object != request->source->pid || !message.nr_pages ||
	    message.nr_pages > request->size / page_size())
		return refuse(EPROTO,
			      "the page server answers %" PRIu64 " pages at %#" PRIx64 " of task %" PRIu64
			      ", which was not asked for",
			      message.nr_pages, message.start, message.object);
	*ret_size = message.nr_pages * page_size();
	return peer_receive_all(lazy->server, buffer, *ret_size);
}

static bool wait_for_request(struct lazy *lazy, struct lazy_request *ret, int *ret_error)
{
	bool found;

	pthread_mutex_lock(&lazy->lock);
	*ret_error = ask_for_more(lazy);
	while (!lazy->requests.n && !lazy->stop && *ret_error == 0) {
		pthread_cond_wait(&lazy->more, &lazy->lock);
		*ret_error = ask_for_more(lazy);
	}
	found = lazy->requests.n && *ret_error == 0;
	if (found)
		*ret = lazy->requests.items[0];
	pthread_mutex_unlock(&lazy->lock);
	return found;
}

/* The oldest one is answered. If that were fewer pages than we asked for: the others once more. */
static int finish_request(struct lazy *lazy, const struct lazy_request *request, uint64_t size)
{
	const struct lazy_range rest = { .origin = request->origin + size, .size = request->size - size };
	int result = 0;

	pthread_mutex_lock(&lazy->lock);
	memmove(lazy->requests.items, lazy->requests.items + 1, --lazy->requests.n * sizeof(*lazy->requests.items));
	if (rest.size)
		result = request_range(lazy, request->source, &rest);
	pthread_mutex_unlock(&lazy->lock);
	return result;
}

static int receive_all(struct lazy *lazy, char *buffer)
{
	struct lazy_request request;
	int error;

	while (wait_for_request(lazy, &request, &error)) {
		uint64_t size = 0;

		TRY(receive_answer(lazy, &request, buffer, &size));
		TRY(deliver_pages(&lazy->receiver, request.source, request.origin, buffer, size));
		TRY(finish_request(lazy, &request, size));
	}
	return error;
}

static void *run_receiver(void *arg)
{
	struct lazy *lazy = arg;
	char *buffer = make_buffer();
	int result = buffer ? receive_all(lazy, buffer) : fail(ENOMEM, "no memory for pages on their way");

	if (result < 0)
		set_failure(lazy, result);
	if (buffer)
		munmap(buffer, PAGE_BLOCK_SIZE);
	return NULL;
}

/* --- the main thread --- */

void lazy_events_begin(struct lazy *lazy)
{
	for (unsigned i = 0; i < ARRAY_SIZE(lazy->threads); i++)
		pthread_mutex_lock(&lazy->threads[i].placing);
	pthread_mutex_lock(&lazy->receiver.placing);
}

void lazy_events_end(struct lazy *lazy)
{
	pthread_mutex_unlock(&lazy->receiver.placing);
	for (unsigned i = 0; i < ARRAY_SIZE(lazy->threads); i++)
		pthread_mutex_unlock(&lazy->threads[i].placing);
}

int lazy_fetch_now(struct lazy *lazy, struct lazy_space *space, uint64_t address)
{
	char buffer[FAULT_SIZE];
	struct lazy_range range;
	int result = 0;

	atomic_store(&lazy->step, STEP);
	if (!lazy_space_find(space, address, &range))
		return lazy_space_zero(space, address);
	if (range.size > FAULT_SIZE)
		range.size = FAULT_SIZE;
	lazy_space_look_ahead(space, address + range.size);
	atomic_store(&lazy->ahead, true);
	if (!range.remote) {
		TRY(read_images(space->source, range.origin, range.size, buffer));
		return lazy_source_deliver(space->source, range.origin, buffer, range.size);
	}
	pthread_mutex_lock(&lazy->lock);
	if (lazy->requests.n >= MOST_FAULTS)
		result = -EAGAIN;
	/* If it is on its way, it will come. */
	else if (lazy_space_claim(space, true, address, FAULT_SIZE, &range))
		result = request_range(lazy, space->source, &range);
	pthread_mutex_unlock(&lazy->lock);
	return result;
}

static void init_thread(struct lazy *lazy, struct lazy_thread *thread)
{
	thread->lazy = lazy;
	urgent_lock_init(&thread->placing);
}

void lazy_fetch_init(struct lazy *lazy)
{
	for (unsigned i = 0; i < ARRAY_SIZE(lazy->threads); i++)
		init_thread(lazy, &lazy->threads[i]);
	init_thread(lazy, &lazy->receiver);
	urgent_lock_init(&lazy->lock);
	pthread_cond_init(&lazy->more, NULL);
}

void lazy_fetch_done(struct lazy *lazy)
{
	for (unsigned i = 0; i < ARRAY_SIZE(lazy->threads); i++)
		pthread_mutex_destroy(&lazy->threads[i].placing);
	pthread_mutex_destroy(&lazy->receiver.placing);
	pthread_mutex_destroy(&lazy->lock);
	pthread_cond_destroy(&lazy->more);
	vector_done(&lazy->requests);
}

int lazy_fetch_begin(struct lazy *lazy)
{
	int error;

	atomic_store(&lazy->step, STEP);
	if (!lazy->server)
		return 0;
	error = pthread_create(&lazy->receiver.id, NULL, run_receiver, lazy);
	return error ? fail(error, "making a thread") : 0;
}

int lazy_fetch_background(struct lazy *lazy)
{
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const unsigned most = ARRAY_SIZE(lazy->threads);

	pthread_mutex_lock(&lazy->lock);
	lazy->background = true;
	pthread_cond_signal(&lazy->more);
	pthread_mutex_unlock(&lazy->lock);
	for (unsigned i = 0; i < most && (long)i < cpus; i++) {
		struct lazy_thread *thread = &lazy->threads[lazy->n_threads];
		int error = pthread_create(&thread->id, NULL, run_worker, thread);

		if (error)
			return fail(error, "making a thread");
		lazy->n_threads++;
	}
	return 0;
}

void lazy_fetch_end(struct lazy *lazy)
{
	if (lazy->server && lazy->receiver.id) {
		pthread_mutex_lock(&lazy->lock);
		lazy->stop = true;
		pthread_cond_signal(&lazy->more);
		pthread_mutex_unlock(&lazy->lock);
		if (atomic_load(&lazy->failure))
			peer_abort(lazy->server);
		pthread_join(lazy->receiver.id, NULL);
	}
	while (lazy->n_threads)
		pthread_join(lazy->threads[--lazy->n_threads].id, NULL);
}
