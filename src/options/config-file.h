/* SPDX-License-Identifier: GPL-2.0-only */
/* Configuration files: each line is one long option without its dashes. Syntax: criu(8), CONFIGURATION FILES. */
#pragma once

#include <stdbool.h>

struct options;
struct pool;

/*
 * Reads one config file, at most 1 MiB, and applies it line by line. only_regular: somebody else has named it. Returns
 * 0, also when path is NULL or empty or the file does not exist; else what options_parse() returns. Errors name file
 * and line.
 */
int options_apply_config(struct options *options, const char *path, bool only_regular);
/* One line (which is changed): its word or NULL when the line is empty. Returns 0 or -EINVAL; logs nothing. */
int config_line_parse(struct pool *pool, char *line, const char **ret_word);
