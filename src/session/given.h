/* SPDX-License-Identifier: GPL-2.0-only */
/* What the user gives in place of objects that are outside of the checkpoint: --inherit-fd, --external. */
#pragma once

#include "session/session.h"

/* Restore: a copy of the descriptor that --inherit-fd gives for the key; -ENOENT, unlogged, if there is none. */
int given_descriptor(struct restore *r, const char *key, int *ret_fd);
bool given_has_descriptor(const struct restore *r, const char *key);
/* What --external WORD[NAME]:VALUE says; "" without a value, NULL if there is no such option. */
const char *given_external(const struct options *options, const char *word, const char *name);
/* --external has this key. */
bool given_is_external(const struct options *options, const char *key);
