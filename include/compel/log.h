/* SPDX-License-Identifier: LGPL-2.1-only */
/* Where libcompel's log lines go. It is the only state of the library that is not in an object: set it before anything
 * else. */
#ifndef COMPEL_LOG_H
#define COMPEL_LOG_H

#include <compel/loglevels.h>
#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Gets a line with its newline. May be called by every thread that uses the library. */
typedef void (*compel_log_fn)(unsigned lvl, const char *fmt, va_list parms);

/*
 * Lines of this level (COMPEL_LOG_*) and of lower numbers are given to fn. Without a function, or with NULL, errors are
 * known by return values and errno alone.
 */
void compel_log_init(compel_log_fn fn, unsigned level);
unsigned compel_log_get_loglevel(void);

#ifdef __cplusplus
}
#endif

#endif
