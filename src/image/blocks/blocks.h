/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lies in the place of a plain image file when images are compressed or encrypted: blocks of BLOCK_SIZE bytes,
 * each of them compressed, encrypted and with a sum of its own, and an index at the end (docs/COMPRESSION.md). Any part
 * can be read alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "image/codec.h"

/* The first word of such a file. */
#define BLOCKS_MAGIC 0x425a5243u

#define BLOCK_SIZE (128u << 10)

struct cipher;

struct block_format {
	enum codec codec;
	int level;
	const struct cipher *cipher; /* NULL: not encrypted */
};

/* --- writing --- */

/* --- reading --- */
