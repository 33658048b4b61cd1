/* SPDX-License-Identifier: LGPL-2.1-only */
/* Growing bytes. Once something was added, a NUL follows the last byte (not counted in size). */
#pragma once

#include <stddef.h>

struct buffer {
	char *data;
	size_t size, capacity;
};

void buffer_done(struct buffer *buffer);
/* Room for size more bytes at the end, zeroed and counted; address valid until the next call. */
void *buffer_extend(struct buffer *buffer, size_t size);
/* Makes room for size more bytes and a NUL, but adds nothing; whoever fills the room counts size up. */
void *buffer_reserve(struct buffer *buffer, size_t size);
void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
