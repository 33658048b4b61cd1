/* SPDX-License-Identifier: GPL-2.0-only */
/* Small images that are read by another thread, before anybody asks for them. */
#include "image/read-ahead.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/vector.h"
#include "image/backend.h"
#include "image/blocks/blocks.h"
#include "image/table.h"

/* What is odd in any way is left to the caller, who has words for it. */
enum ahead_state {
	AHEAD_WAITS,
	AHEAD_TAKEN, /* the thread reads it */
	AHEAD_READ,
	AHEAD_LEFT, /* to the caller */
};

struct ahead_image {
	_Atomic enum ahead_state state;
	uint32_t size;
	unsigned char *data;
	char name[IMAGE_NAME];
};

struct read_ahead {
	int dir;
	pthread_t thread;
	bool has_thread;
	atomic_bool ending;
	VECTOR(struct ahead_image) images;
	struct table *by_name;
};

/* FNV-1a; the name itself is compared. */
static uint64_t hash_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 0x100000001b3;
	return hash;
}

void read_ahead_add(struct store *store, enum image_id id, uint64_t number)
{
	struct ahead_image *image;

	if (store->dir < 0 || store->written) /* in memory already */
		return;
	if (!store->ahead) {
		store->ahead = xzalloc(sizeof(*store->ahead));
		store->ahead->dir = store->dir;
	}
	image = vector_push(&store->ahead->images);
	*image = (struct ahead_image){ 0 };
	image_print_name(id, number, image->name, sizeof(image->name));
}

/* Says nothing of failures: a caller that reads it itself does. */
static bool read_image(int dir, struct ahead_image *image)
{
	AUTO_CLOSE int fd = openat(dir, image->name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	const uint32_t blocks = BLOCKS_MAGIC;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(blocks) ||
	    st.st_size > IMAGE_BUFFER)
		return false;
	image->size = (uint32_t)st.st_size;
	image->data = xmalloc(image->size);
	return read(fd, image->data, image->size) == (ssize_t)image->size &&
	       memcmp(image->data, &blocks, sizeof(blocks)) != 0;
}

static bool take_image(struct ahead_image *image, enum ahead_state as)
{
	enum ahead_state waits = AHEAD_WAITS;

	return atomic_compare_exchange_strong(&image->state, &waits, as);
}

static void *read_images(void *arg)
{
	struct read_ahead *ahead = arg;

	for (size_t i = 0; i < ahead->images.n && !atomic_load(&ahead->ending); i++) {
		struct ahead_image *image = &ahead->images.items[i];

		if (take_image(image, AHEAD_TAKEN))
			atomic_store(&image->state, read_image(ahead->dir, image) ? AHEAD_READ : AHEAD_LEFT);
	}
	return NULL;
}

/* Signals are for the thread that runs the program. */
void read_ahead_begin(struct store *store)
{
	struct read_ahead *ahead = store->ahead;
	sigset_t all, old;

	if (!ahead)
		return;
	ahead->by_name = table_create();
	for (size_t i = 0; i < ahead->images.n; i++)
		table_set(ahead->by_name, hash_name(ahead->images.items[i].name), &ahead->images.items[i]);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ahead->has_thread = pthread_create(&ahead->thread, NULL, read_images, ahead) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void read_ahead_end(struct store *store)
{
	struct read_ahead *ahead = store->ahead;

	if (!ahead)
		return;
	atomic_store(&ahead->ending, true);
	if (ahead->has_thread)
		pthread_join(ahead->thread, NULL);
	for (size_t i = 0; i < ahead->images.n; i++)
		free(ahead->images.items[i].data);
	vector_done(&ahead->images);
	table_destroy(&ahead->by_name);
	free(ahead);
	store->ahead = NULL;
}

const unsigned char *read_ahead_find(struct store *store, const char *name, size_t *ret_size)
{
	struct read_ahead *ahead = store->ahead;
	struct ahead_image *image = ahead && ahead->has_thread ? table_find(ahead->by_name, hash_name(name)) : NULL;

	if (!image || strcmp(image->name, name) != 0 || take_image(image, AHEAD_LEFT))
		return NULL;
	while (atomic_load(&image->state) == AHEAD_TAKEN)
		sched_yield(); /* for a few microseconds */
	if (atomic_load(&image->state) != AHEAD_READ)
		return NULL;
	*ret_size = image->size;
	return image->data;
}
