/* SPDX-License-Identifier: GPL-2.0-only */
/* The option table as seen inside src/options. */
#pragma once

#include "options/options.h"

struct option_row {
	const char *name;
	char letter;  /* 0 = none */
	int argument; /* no_argument, required_argument, optional_argument of getopt_long(3) */
	/* Takes one value, NULL if there is none. Returns 0 or, after refuse(), what options_parse() returns. */
	int (*set)(struct options *options, const struct option_row *row, const char *value);
	size_t member; /* offset in struct options, for set functions that serve several rows */
	unsigned commands;
	bool negatable;		       /* only rows whose member is a bool, which alone decides */
	const char *value_name, *help; /* help NULL = not shown */
	const char *group;	       /* title of a paragraph: such a row is no option and has nothing else */
};

extern const struct option_row option_rows[];
extern const size_t option_rows_count;

#define OPTION_MEMBER(options, row, type) ((type *)((char *)(options) + (row)->member))
