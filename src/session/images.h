/* SPDX-License-Identifier: GPL-2.0-only */
/* The images directory, opened as the options want it. */
#pragma once

#include <stdbool.h>

struct options;
struct store;

/* Writing: images are compressed and encrypted if that is wanted. Both: encrypted ones can be read with the key given.
 */
int images_open(const struct options *options, bool for_writing, struct store **ret);
