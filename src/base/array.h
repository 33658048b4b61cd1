/* SPDX-License-Identifier: LGPL-2.1-only */
/* How many elements an array has; not for pointers. */
#pragma once

#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))
