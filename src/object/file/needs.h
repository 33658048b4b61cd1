/* SPDX-License-Identifier: GPL-2.0-only */
/* criu verify: are the files that will be opened by their path still there, and the same? An ordinary user may ask. */
#pragma once

#include "regfile.pb-c.h"

struct restore;

/* Names the file as needed, refuses if it is not there as it was. For all that is opened by regular_open(). */
int regular_need(const struct restore *r, const RegFileEntry *record);
