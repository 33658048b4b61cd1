/* SPDX-License-Identifier: GPL-2.0-only */
/* What inotify and fanotify files tell of themselves. */
#pragma once

#include <stddef.h>

struct dump;
struct open_file;

/* Dump: reads one "word ..." of fdinfo; *ret stays NULL if it is none of those that are kept. */
typedef int (*mark_parse_t)(const struct dump *d, const struct open_file *of, const char *value, void *record,
			    void **ret);

/* All of them, in d->pool and in their order; warns of events that nobody has read. */
int marks_dump(const struct dump *d, const struct open_file *of, const char *word, mark_parse_t parse, void *record,
	       void ***ret, size_t *ret_n);
