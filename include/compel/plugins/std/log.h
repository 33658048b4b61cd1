/* SPDX-License-Identifier: LGPL-2.1-only */
/* Log lines of a parasite. They go to the descriptor infect_ctx.log_fd of the program, which the daemon gets when it
 * starts. */
#ifndef COMPEL_PLUGIN_STD_LOG_H
#define COMPEL_PLUGIN_STD_LOG_H

#include <compel/loglevels.h>
#include <sys/time.h>

struct timezone;
typedef int (*gettimeofday_t)(struct timeval *tv, struct timezone *tz);

/* A line "(seconds.microseconds) pie: PID: text". Conversions: %s %d %x %p %u, the numbers also with l, ll, z. The
 * newline is the caller's. */
void print_on_level(unsigned int loglevel, const char *format, ...) __attribute__((format(printf, 2, 3)));

void std_log_set_fd(int fd); /* -1: no log */
void std_log_set_loglevel(enum __compel_log_levels level);
/* Time stamps count from then; without it they are the time of day. */
void std_log_set_start(struct timeval *s);
/* A clock faster than the system call, e.g. that of the vdso. */
void std_log_set_gettimeofday(gettimeofday_t gtod);
/* gettimeofday(2) by that clock. */
int std_gettimeofday(struct timeval *tv, struct timezone *tz);

#endif
