/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Memory that lives as long as its owner: records of a dump, structs of a tree. Nothing need be freed one by one.
 * Running out of memory ends the program (as for every small allocation of this house), so callers need no check. Not
 * thread-safe.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct pool;

struct pool *pool_create(void);
void pool_destroy(struct pool **pool);

void *pool_alloc(struct pool *pool, size_t size); /* zeroed, aligned to 16 */
/* A block of pool_alloc() is not needed any more: the next one of the same size may be the same. Worth it for large
 * ones. */
void pool_give_back(struct pool *pool, void *p, size_t size);
void *pool_copy(struct pool *pool, const void *data, size_t size);
char *pool_string(struct pool *pool, const char *text);
char *pool_vprintf(struct pool *pool, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
char *pool_printf(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define pool_new(pool, type)	  ((type *)pool_alloc((pool), sizeof(type)))
#define pool_array(pool, type, n) ((type *)pool_alloc((pool), sizeof(type) * (n)))

/* What the others do when memory is out: says so on stderr and aborts. */
_Noreturn void out_of_memory(void);

/* malloc and friends that end the program when memory is out. */
void *xmalloc(size_t size);
void *xzalloc(size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *text);
char *xprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
