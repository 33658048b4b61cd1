/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Output and text for parasites. Nothing is buffered. Formats know %s, %d and %x, the numbers also with l or ll; of any
 * other conversion nothing is printed.
 */
#ifndef COMPEL_PLUGIN_STD_STRING_H
#define COMPEL_PLUGIN_STD_STRING_H

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

/* Decimal text of num in the blen bytes at buf; *ps is where it begins. Returns its length. */
int std_vprint_num(char *buf, int blen, int num, char **ps);

void std_dputc(int fd, char c);
void std_dputs(int fd, const char *s);
void std_vdprintf(int fd, const char *format, va_list args);
void std_dprintf(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* On descriptor 1 of the task. */
#define std_printf(fmt, ...) std_dprintf(1, fmt, ##__VA_ARGS__)
#define std_puts(s)	     std_dputs(1, s)
#define std_putchar(c)	     std_dputc(1, c)

/* As the lines of print_on_level(): %s %d %x %p %u, the numbers also with l, ll, z. Cut to 255 bytes. */
void std_sprintf(char output[256], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As strtoul(3), without errno: a number that is too big wraps. */
unsigned long std_strtoul(const char *nptr, char **endptr, int base);
int std_strcmp(const char *cs, const char *ct);
int std_strncmp(const char *cs, const char *ct, size_t n);

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
int memcmp(const void *cs, const void *ct, size_t n);
void *memset(void *s, int c, size_t n);

#endif
