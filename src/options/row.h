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
	unsigned later;		       /* commands for which its feature is not there yet */
	const char *value_name, *help; /* help NULL = not shown */
	const char *group;	       /* title of a paragraph: such a row is no option and has nothing else */
};

extern const struct option_row option_rows[];
extern const size_t option_rows_count;

#define OPTION_MEMBER(options, row, type) ((type *)((char *)(options) + (row)->member))

#define OPTION_SET(name) int set_##name(struct options *options, const struct option_row *row, const char *value)

/* In options-set.c. The first ones use the row's member, which must have the type named here. */
OPTION_SET(switch);	    /* bool */
OPTION_SET(text);	    /* const char * */
OPTION_SET(texts);	    /* struct opt_list, one more item */
OPTION_SET(words);	    /* struct opt_list, items separated by commas */
OPTION_SET(absolute_paths); /* struct opt_list */
OPTION_SET(file);	    /* const char *, made absolute */
OPTION_SET(files);	    /* struct opt_list, the same */
OPTION_SET(number);	    /* uint32_t */
OPTION_SET(size);	    /* uint64_t */
OPTION_SET(fd);		    /* int, an open descriptor */
OPTION_SET(port);
OPTION_SET(pid);
OPTION_SET(end_stop);
OPTION_SET(end_run);
OPTION_SET(cpu_cap);
OPTION_SET(network_lock);
OPTION_SET(close);
OPTION_SET(gone);
OPTION_SET(help);
OPTION_SET(version);
OPTION_SET(external);
OPTION_SET(ext_mount_map);
OPTION_SET(veth_pair);
OPTION_SET(ext_unix_sk);
OPTION_SET(inherit_fd);
OPTION_SET(join_ns);
OPTION_SET(map_path);
OPTION_SET(tcp_map);
OPTION_SET(empty_ns);
OPTION_SET(manage_cgroups);
OPTION_SET(cgroup_root);
OPTION_SET(lsm_profile);
OPTION_SET(file_validation);
OPTION_SET(check_all);
OPTION_SET(verbosity);
OPTION_SET(pre_dump_mode);
OPTION_SET(compress);
OPTION_SET(stream);

/*
 * Reads one config file, at most 1 MiB, and applies it line by line. only_regular: somebody else has named it. Returns
 * 0, also when path is NULL or empty or the file does not exist; else what options_parse() returns. Errors name file
 * and line.
 */
int options_apply_config(struct options *options, const char *path, bool only_regular);
/* One line (which is changed): its word or NULL when the line is empty. Returns 0 or -EINVAL; logs nothing. */
int config_line_parse(struct pool *pool, char *line, const char **ret_word);

/* Applies one word such as "--timeout=5", as if it came from a command line. Everything wrong is said by refuse(). */
int options_apply_word(struct options *options, char *word);
