/* SPDX-License-Identifier: LGPL-2.1-only */
/* Pools: chunks that are filled from the front and freed together; malloc that ends the program when memory is out. */
#include "base/pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_SIZE  (64 * 1024)
#define FIRST_CHUNK 2048 /* many pools stay small, and a chunk is cleared */
#define ALIGNMENT   16

struct chunk {
	struct chunk *next;
	size_t used, capacity;
	alignas(ALIGNMENT) char data[];
};

struct spare {
	struct spare *next;
	size_t size;
};

struct pool {
	struct chunk *chunks; /* the first one is being filled */
	struct spare *spares; /* blocks that were given back, of few sizes */
};

/* Writes directly: the log formats into memory, and there is none. */
_Noreturn void out_of_memory(void)
{
	static const char text[] = "Error: out of memory\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xzalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		out_of_memory();
	return copy;
}

char *xprintf(const char *format, ...)
{
	va_list args;
	char *text;
	int size;

	va_start(args, format);
	size = vasprintf(&text, format, args);
	va_end(args);
	if (size < 0)
		out_of_memory();
	return text;
}

struct pool *pool_create(void)
{
	return xzalloc(sizeof(struct pool));
}

void pool_destroy(struct pool **pool)
{
	struct chunk *next;

	if (!*pool)
		return;
	for (struct chunk *chunk = (*pool)->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(*pool);
	*pool = NULL;
}

static struct chunk *create_chunk(size_t capacity)
{
	struct chunk *chunk;

	if (capacity > SIZE_MAX - sizeof(*chunk))
		out_of_memory();
	/* calloc: fresh memory from the kernel needs no clearing, so big chunks cost only what is used. */
	chunk = xzalloc(sizeof(*chunk) + capacity);
	chunk->capacity = capacity;
	return chunk;
}

static size_t round_up_size(size_t size)
{
	if (size > SIZE_MAX - ALIGNMENT)
		out_of_memory();
	return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

void pool_give_back(struct pool *pool, void *p, size_t size)
{
	struct spare *spare = p;

	if (round_up_size(size) < sizeof(*spare))
		return;
	*spare = (struct spare){ pool->spares, round_up_size(size) };
	pool->spares = spare;
}

static void *take_spare(struct pool *pool, size_t size)
{
	struct spare **place = &pool->spares, *spare;

	while ((spare = *place) && spare->size != size)
		place = &spare->next;
	if (!spare)
		return NULL;
	*place = spare->next;
	return memset(spare, 0, size);
}

void *pool_alloc(struct pool *pool, size_t size)
{
	struct chunk *chunk = pool->chunks;
	void *p;

	size = round_up_size(size);
	p = take_spare(pool, size);
	if (p)
		return p;

	/* A big block gets a chunk of its own behind the one being filled. */
	if (chunk && size > CHUNK_SIZE / 4 && size > chunk->capacity - chunk->used) {
		struct chunk *own = create_chunk(size);

		own->used = size;
		own->next = chunk->next;
		chunk->next = own;
		return own->data;
	}
	if (!chunk || size > chunk->capacity - chunk->used) {
		size_t usual = chunk ? CHUNK_SIZE : FIRST_CHUNK;

		chunk = create_chunk(size > usual ? size : usual);
		chunk->next = pool->chunks;
		pool->chunks = chunk;
	}
	p = chunk->data + chunk->used;
	chunk->used += size;
	return p;
}

void *pool_copy(struct pool *pool, const void *data, size_t size)
{
	void *copy = pool_alloc(pool, size);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *pool_string(struct pool *pool, const char *text)
{
	return pool_copy(pool, text, strlen(text) + 1);
}

char *pool_vprintf(struct pool *pool, const char *format, va_list args)
{
	va_list again;
	char *text;
	int size;

	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, args);
	if (size < 0)
		out_of_memory();
	text = pool_alloc(pool, (size_t)size + 1);
	vsnprintf(text, (size_t)size + 1, format, again);
	va_end(again);
	return text;
}

char *pool_printf(struct pool *pool, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = pool_vprintf(pool, format, args);
	va_end(args);
	return text;
}
