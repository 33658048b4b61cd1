/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What was found in the kernel's type information since it was booted. To look through that takes milliseconds, in
 * which programs may stand still; so it is kept in a file that only root can have written.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BTF_CACHE_PATH	 "/run/criu/btf"
#define BTF_CACHE_VALUES 5

struct btf_cache;

/* Never fails: what cannot be read, or is of another kernel, is as good as none. size: that of the information. */
struct btf_cache *btf_cache_open(const char *path, uint64_t size);
bool btf_cache_find(const struct btf_cache *cache, const char *key, int64_t values[BTF_CACHE_VALUES]);
void btf_cache_add(struct btf_cache *cache, const char *key, const int64_t values[BTF_CACHE_VALUES]);
/* Writes the file anew if there is something new; only root does. */
void btf_cache_close(struct btf_cache **cache);
