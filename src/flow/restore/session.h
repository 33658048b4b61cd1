/* SPDX-License-Identifier: GPL-2.0-only */
/* What a restore begins and ends with. */
#pragma once

#include "session/session.h"

int restore_begin(struct restore *r, const struct options *options);
/* Always called, whatever restore_begin() returned. */
void restore_end(struct restore *r);
int restore_make_workers(struct restore *r);
int restore_load_plugins(struct restore *r);
