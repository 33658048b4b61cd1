/* SPDX-License-Identifier: LGPL-2.1-only */
/* Growing bytes; a NUL always follows the last one, so that text can be used in place. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"

static void reserve_capacity(struct buffer *buffer, size_t more)
{
	size_t capacity = buffer->capacity ? buffer->capacity : 256;

	if (more < buffer->capacity - buffer->size)
		return;
	if (more > SIZE_MAX / 4 - buffer->size)
		out_of_memory();
	while (capacity - buffer->size <= more)
		capacity *= 2;
	buffer->data = xrealloc(buffer->data, capacity);
	buffer->capacity = capacity;
}

void buffer_done(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ 0 };
}

void *buffer_reserve(struct buffer *buffer, size_t size)
{
	reserve_capacity(buffer, size);
	return buffer->data + buffer->size;
}

void *buffer_extend(struct buffer *buffer, size_t size)
{
	char *at;

	reserve_capacity(buffer, size);
	at = buffer->data + buffer->size;
	memset(at, 0, size + 1);
	buffer->size += size;
	return at;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
	reserve_capacity(buffer, size);
	if (size)
		memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
	buffer->data[buffer->size] = '\0';
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size <= 0)
		return;

	reserve_capacity(buffer, (size_t)size);
	va_start(args, format);
	vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, args);
	va_end(args);
	buffer->size += (size_t)size;
}
