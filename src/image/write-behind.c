/* SPDX-License-Identifier: GPL-2.0-only */
/* A queue of small images, the thread that writes them, and the memory of what they were. */
#include "image/write-behind.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/io.h"
#include "base/pool.h"
#include "base/table.h"
#include "base/urgent.h"
#include "image/store.h"

#define BATCH 32 /* images that are worth to wake the thread up */

struct waiting_image {
	struct waiting_image *next;
	unsigned char *data;
	size_t size;
	char name[];
};

struct write_behind {
	int dir;
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	pthread_t thread;
	bool has_thread, ending, hurry;
	struct waiting_image *first, **last;
	unsigned n_waiting, n_writing;
	int failure;
	struct table *kept;  /* by name: struct waiting_image */
	struct table *there; /* by name: other files of the directory */
};

struct write_behind *write_behind_create(int dir)
{
	struct write_behind *behind = xzalloc(sizeof(*behind));

	behind->dir = dir;
	behind->last = &behind->first;
	behind->kept = table_create();
	behind->there = table_create();
	pthread_mutex_init(&behind->lock, NULL);
	pthread_cond_init(&behind->work, NULL);
	pthread_cond_init(&behind->idle, NULL);
	return behind;
}

/* FNV-1a, from two beginnings: two names with the same pair do not occur. */
static uint64_t hash_name(const char *name, uint64_t hash)
{
	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 0x100000001b3;
	return hash;
}

#define HASHES(name) hash_name(name, 0xcbf29ce484222325), hash_name(name, 0x9e3779b97f4a7c15)

static int write_image(int dir, const struct waiting_image *image)
{
	int fd = store_make_file(dir, image->name), error;

	TRY(fd);
	error = io_write(fd, image->data, image->size);
	/* Network and quota file systems report late write errors here. */
	if (close(fd) < 0 && error == 0)
		error = -errno;
	return error < 0 ? fail(-error, "%s: cannot write", image->name) : 0;
}

/* Called with the lock, and returns with it. */
static void write_next(struct write_behind *behind)
{
	struct waiting_image *image = behind->first;
	int error;

	behind->first = image->next;
	if (!behind->first)
		behind->last = &behind->first;
	behind->n_waiting--;
	behind->n_writing++;
	pthread_mutex_unlock(&behind->lock);
	error = write_image(behind->dir, image);
	pthread_mutex_lock(&behind->lock);
	behind->n_writing--;
	if (error < 0 && !behind->failure)
		behind->failure = error;
}

static void *write_images(void *arg)
{
	struct write_behind *behind = arg;

	urgent_help();
	pthread_mutex_lock(&behind->lock);
	while (!behind->ending) {
		if (behind->n_waiting && (behind->hurry || behind->n_waiting >= BATCH)) {
			while (behind->first && !behind->ending)
				write_next(behind);
			pthread_cond_signal(&behind->idle);
		} else {
			pthread_cond_wait(&behind->work, &behind->lock);
		}
	}
	pthread_mutex_unlock(&behind->lock);
	urgent_leave();
	return NULL;
}

/* Signals are for the thread that runs the program. Without a thread all is written in the end. */
static void start_thread(struct write_behind *behind)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	behind->has_thread = pthread_create(&behind->thread, NULL, write_images, behind) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void write_behind_add(struct write_behind *behind, const char *name, unsigned char *data, size_t size)
{
	size_t length = strlen(name) + 1;
	struct waiting_image *image = xmalloc(sizeof(*image) + length), *older;

	memcpy(image->name, name, length);
	image->data = data;
	image->size = size;
	image->next = NULL;
	if (table_find2(behind->kept, HASHES(name)))
		(void)write_behind_wait(behind); /* in this order; a failure is kept */
	pthread_mutex_lock(&behind->lock);
	older = table_set2(behind->kept, HASHES(name), image);
	*behind->last = image;
	behind->last = &image->next;
	behind->n_waiting++;
	if (behind->n_waiting == BATCH && behind->has_thread)
		pthread_cond_signal(&behind->work);
	pthread_mutex_unlock(&behind->lock);
	if (older)
		free(older->data);
	free(older);
	if (!behind->has_thread && behind->n_waiting == BATCH)
		start_thread(behind);
}

int write_behind_wait(struct write_behind *behind)
{
	int failure;

	pthread_mutex_lock(&behind->lock);
	behind->hurry = true;
	if (behind->has_thread && behind->n_waiting > 1)
		pthread_cond_signal(&behind->work);
	while (behind->first)
		write_next(behind);
	while (behind->n_writing)
		pthread_cond_wait(&behind->idle, &behind->lock);
	behind->hurry = false;
	failure = behind->failure;
	pthread_mutex_unlock(&behind->lock);
	return failure;
}

int write_behind_forget(struct write_behind *behind, const char *name)
{
	struct waiting_image *image = table_find2(behind->kept, HASHES(name));

	if (!image)
		return 0;
	TRY(write_behind_wait(behind));
	table_remove2(behind->kept, HASHES(name));
	free(image->data);
	free(image);
	return 0;
}

const unsigned char *write_behind_find(struct write_behind *behind, const char *name, size_t *ret_size)
{
	const struct waiting_image *image = table_find2(behind->kept, HASHES(name));

	if (!image)
		return NULL;
	*ret_size = image->size;
	return image->data;
}

void write_behind_note(struct write_behind *behind, const char *name)
{
	pthread_mutex_lock(&behind->lock);
	table_set2(behind->there, HASHES(name), behind);
	pthread_mutex_unlock(&behind->lock);
}

bool write_behind_lacks(struct write_behind *behind, const char *name)
{
	bool lacks;

	pthread_mutex_lock(&behind->lock);
	lacks = !table_find2(behind->kept, HASHES(name)) && !table_find2(behind->there, HASHES(name));
	pthread_mutex_unlock(&behind->lock);
	return lacks;
}

void write_behind_destroy(struct write_behind **ref)
{
	struct write_behind *behind = *ref;
	struct waiting_image *image;
	size_t cursor = 0;

	if (!behind)
		return;
	*ref = NULL;
	if (behind->has_thread) {
		pthread_mutex_lock(&behind->lock);
		behind->ending = true;
		pthread_cond_signal(&behind->work);
		pthread_mutex_unlock(&behind->lock);
		pthread_join(behind->thread, NULL);
	}
	while ((image = table_next(behind->kept, &cursor))) {
		free(image->data);
		free(image);
	}
	table_destroy(&behind->kept);
	table_destroy(&behind->there);
	pthread_cond_destroy(&behind->work);
	pthread_cond_destroy(&behind->idle);
	pthread_mutex_destroy(&behind->lock);
	free(behind);
}
