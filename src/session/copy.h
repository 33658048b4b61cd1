/* SPDX-License-Identifier: GPL-2.0-only */
/* One of the copies that restore --copies makes of a checkpoint. */
#pragma once

#include <stdbool.h>
#include <string.h>

/* Stands in values of options for the number of the copy. */
#define COPY_MARK "%k"

struct memory_template;

struct copy {
	unsigned number, of; /* from 1 */
	const struct memory_template
		*template;    /* the memory that all copies share (object/memory/template/template.h) */
	const char *hostname; /* of this one, NULL: as the images say */
	int ready;	      /* a pipe: the tasks are complete */
	int gate;	      /* a pipe: all others are, too */
	int init;	      /* a pipe: the first process of its pid namespace may outlive criu */
};

/* A path or name that --map-path and the like have made another one for each copy. */
static inline bool copies_differ_in(const char *text)
{
	return strstr(text, COPY_MARK);
}
