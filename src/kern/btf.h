/* SPDX-License-Identifier: LGPL-2.1-only */
/* Where members lie in structures of the running kernel: its type information, /sys/kernel/btf. */
#pragma once

#include <stdint.h>

struct btf;

/* -errno, not logged: -ENOENT if the kernel has none (CONFIG_DEBUG_INFO_BTF). It is read when btf-cache.h lacks
 * something. */
int btf_open(struct btf **ret);
void btf_close(struct btf **btf);
/*
 * Before anything is asked: the structures of this module count as well, if it is one and loaded. What it has in common
 * with the kernel stands there alone.
 */
void btf_add_module(struct btf *btf, const char *module);

struct btf_place {
	uint32_t offset; /* bytes from the beginning of the structure */
	uint32_t size;	 /* bytes; of a bit field: of the bytes that hold it */
	uint8_t shift;	 /* of a bit field: its lowest bit */
	uint8_t bits;	 /* 0: no bit field */
};

/*
 * A member of a structure; member "" is the structure as a whole. Anonymous structures and unions within it count as
 * part of it. -ENOENT, not logged: there is none.
 */
int btf_find(struct btf *btf, const char *type, const char *member, struct btf_place *ret);
/* The number of a function, for programs that the kernel calls where it calls that. The same. */
int btf_find_function(struct btf *btf, const char *function, uint32_t *ret);
/* The value of a constant of an enum. -ENOENT, not logged: there is none. */
int btf_find_constant(struct btf *btf, const char *name, int64_t *ret);
