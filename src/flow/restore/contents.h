/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tasks hold, once all exist: the rest of their memory, descriptors, threads. */
#pragma once

struct restore;

int restore_contents(struct restore *r);
