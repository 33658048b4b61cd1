/* SPDX-License-Identifier: GPL-2.0-only */
/* The text of --cgroup-props. */
#pragma once

struct pool;
struct property_rules;

/* Adds the rules of a text (criu(8), --cgroup-props) to ret. where is for messages: "--cgroup-props". */
int property_rules_parse(const char *text, const char *where, struct pool *pool, struct property_rules *ret);
