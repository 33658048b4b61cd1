/* SPDX-License-Identifier: LGPL-2.1-only */
/* Pools: chunks that are filled from the front and freed together; malloc that ends the program when memory is out. */
#include "base/pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_SIZE (64 * 1024)
#define ALIGNMENT  16

struct chunk {
	struct chunk *next;
	size_t used, capacity;
	alignas(ALIGNMENT) char data[];
};

struct pool {
	struct chunk *chunks; /* the first one is being filled */
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

void *pool_alloc(struct pool *pool, size_t size)
{
	struct chunk *chunk = pool->chunks;
	void *p;

	if (size > SIZE_MAX - ALIGNMENT)
		out_of_memory();
	size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);

	/* A big block gets a chunk of its own behind the one being filled. */
	if (chunk && size > CHUNK_SIZE / 4 && size > chunk->capacity - chunk->used) {
		struct chunk *own = create_chunk(size);

		own->used = size;
		own->next = chunk->next;
		chunk->next = own;
		return own->data;
	}
	if (!chunk || size > chunk->capacity - chunk->used) {
		chunk = create_chunk(size > CHUNK_SIZE ? size : CHUNK_SIZE);
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

char *pool_printf(struct pool *pool, const char *format, ...)
{
	va_list args, again;
	char *text;
	int size;

	va_start(args, format);
	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0)
		out_of_memory();
	text = pool_alloc(pool, (size_t)size + 1);
	vsnprintf(text, (size_t)size + 1, format, again);
	va_end(again);
	return text;
}
