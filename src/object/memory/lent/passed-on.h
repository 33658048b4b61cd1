/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages a task passes on to those that it makes. It runs nothing but plans meanwhile, so all that keep the same
 * mappings have the same pages: they are looked for in the first one.
 */
#pragma once

#include <stdbool.h>

#include "pages/save.h"

struct memory_restore;
struct passed_on;

/* Fills in *ret with what the creator has passed on, if that is known of one with these inherited mappings. */
bool passed_on_find(const struct memory_restore *creator, const struct memory_restore *own, page_range_list *ret);
/* That was found in this one. */
void passed_on_keep(struct memory_restore *creator, const struct memory_restore *own, const page_range_list *pages);
void passed_on_destroy(struct passed_on **passed); /* accepts NULL */
