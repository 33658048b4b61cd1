/* SPDX-License-Identifier: LGPL-2.1-only */
/* printf for parasites. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Text that is made: for a descriptor, or, with fd -1, for the room at to, cut to fit and always ended by a NUL. */
struct output {
	int fd;
	char *to;
	size_t size, capacity;
};

/* Conversions %s %d %x with l or ll; wide: also %u %p %% and z. */
void compel_format(struct output *out, bool wide, const char *format, va_list args);
