/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages name options of criu. Who runs it through an engine has other words for a few of them, and a file for the
 * rest: the first failure of a run ends with these.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct options;

/* From now on, for what this process fails at: client has asked for it and reads this config file, NULL for the
 * default one. */
void way_out_begin(pid_t client, bool is_restore, const char *config_file);

/* The same of a container with this first process, told by who keeps it; sets in options what that engine always gives
 * to criu. Texts are added to by way_out_add_known(). */
void way_out_of_container(pid_t first, struct options *options);
void way_out_add_known(char *text, size_t capacity);

/* The names of a program and of its parent tell the engine. Adds to the text; does nothing where the engine is unknown
 * or the text names no option. For way_out_begin() and its test. */
void way_out_add(const char *program, const char *parent, bool is_restore, const char *config_file, char *text,
		 size_t capacity);
