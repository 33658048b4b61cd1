/* SPDX-License-Identifier: GPL-2.0-only */
/* The control files of a cgroup: which ones are saved, how they are read and how they are written. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/pool.h"
#include "base/vector.h"

/* When a restore sets a property. */
enum property_when {
	PROPERTY_FIRST, /* the kind of cgroup */
	PROPERTY_EARLY, /* before it has children and tasks */
	PROPERTY_LATE,	/* when all tasks are made: it must not hinder that */
	PROPERTY_LAST,	/* when nothing is left to do but to let them go */
};

/* What --cgroup-props says of one controller. */
struct property_rule {
	const char *controller;
	bool replace; /* the built-in list of this controller */
	VECTOR(const char *) names;
};

struct property_rules {
	struct property_rule *items;
	size_t n, capacity;
};
void property_rules_done(struct property_rules *rules);

/*
 * The names of the properties that are saved of cgroups with these controllers ("cpu,cpuacct", "name=systemd", ""), in
 * order. Of cgroup2, enabled are the controllers that the cgroup has, separated by blanks.
 */
struct property_names {
	const char **items;
	size_t n, capacity;
};
void property_names_find(const char *controllers, const char *enabled, const struct property_rules *rules,
			 struct property_names *ret);

enum property_when property_when(const char *name);

/* The text that would be written to set what is there now. Returns 0, -ENOENT, unlogged, if there is nothing to be
 * saved, or -errno (logged). */
int property_read(int dir, const char *name, struct pool *pool, char **ret);
/*
 * Sets the property unless it is so already. Returns 0, -ENOENT, unlogged, if this kernel has none of this name, or
 * -errno, unlogged, too, so that the caller can try again when others are set.
 */
int property_write(int dir, const char *name, const char *value);
