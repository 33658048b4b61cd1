/* SPDX-License-Identifier: GPL-2.0-only */
/* A store for those who only want to see whether images could be written. */
#pragma once

struct store;

/* For surveys: what is written is thrown away, nothing can be read. */
struct store *store_create_nowhere(void);
