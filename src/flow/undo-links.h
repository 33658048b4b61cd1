/* SPDX-License-Identifier: GPL-2.0-only */
/* Names that a dump with --link-remap gave to removed files. */
#pragma once

#include <stdbool.h>

struct undone;

/* Those of the files that the task has open; removed if `remove`, else told. A file or folder that cannot be looked at
 * is passed over. */
void undo_links(int proc, bool remove, struct undone *undone);
