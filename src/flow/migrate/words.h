/* SPDX-License-Identifier: GPL-2.0-only */
/* Options of the restore that travel with the program. */
#pragma once

#include <stddef.h>

#include "base/buffer.h"

struct options;

/* Those that this side was given, by command line or config files, as "--name=value", each with a NUL behind it. */
void words_collect(const struct options *options, struct buffer *to);
/* On the other side: refuses what is not such an option. text has a NUL behind its size bytes, and is changed. */
int words_apply(struct options *options, char *text, size_t size);
