/* SPDX-License-Identifier: LGPL-2.1-only */
/* An interval of addresses or offsets. */
#pragma once

#include <stdint.h>

struct address_range {
	uint64_t start, end; /* bytes */
};
