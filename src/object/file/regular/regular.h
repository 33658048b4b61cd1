/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that have a path: used by all kinds that are opened by one (fifos, terminals, tun). */
#pragma once

#include "object/file/file.h"

extern const struct file_kind regular_kind;

/* Dump: fills the record of a file with a path. out->id is that of the entry it belongs to. */
int regular_dump(const struct dump *d, const struct open_file *of, RegFileEntry *out);
/* Dump: an entry of its own that tells path and flags, for records that have none. */
int regular_dump_extra(const struct dump *d, const struct open_file *of, uint32_t *ret_id);
/* Restore: the path record that another record names; refused if it is none. */
int regular_find_record(const struct restore *r, uint32_t id, const RegFileEntry **ret);
