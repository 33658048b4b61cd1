/* SPDX-License-Identifier: LGPL-2.1-only */
/* Text, numbers and output of parasites. */
#include <compel/plugins/std/string.h>
#include <compel/plugins/std/syscall.h>
#include <stdbool.h>

#include "lib/compel/plugins/std/format.h"

/* 64 bits take 20 digits; one more for the sign. */
#define NUMBER 24

static void put_text(struct output *out, const char *text, size_t size)
{
	if (out->fd >= 0) {
		while (size) {
			long n = sys_write(out->fd, text, size);

			if (n <= 0)
				return;
			text += n;
			size -= (size_t)n;
		}
		return;
	}
	for (; size && out->size + 1 < out->capacity; size--)
		out->to[out->size++] = *text++;
	out->to[out->size] = 0;
}

static size_t text_length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static void put_number(struct output *out, unsigned long long value, unsigned base, bool negative)
{
	char text[NUMBER], *p = text + sizeof(text);

	do
		*--p = "0123456789abcdef"[value % base];
	while (value /= base);
	if (negative)
		*--p = '-';
	put_text(out, p, (size_t)(text + sizeof(text) - p));
}

static unsigned long long take_number(va_list *args, int longs, bool is_signed)
{
	if (longs >= 2)
		return va_arg(*args, unsigned long long);
	if (longs == 1)
		return is_signed ? (unsigned long long)va_arg(*args, long) : va_arg(*args, unsigned long);
	return is_signed ? (unsigned long long)va_arg(*args, int) : va_arg(*args, unsigned int);
}

static void format_one(struct output *out, bool wide, char c, int longs, va_list *args)
{
	unsigned long long value;
	const char *s;

	switch (c) {
	case 's':
		s = va_arg(*args, const char *);
		if (!s)
			s = "(null)";
		put_text(out, s, text_length(s));
		break;
	case 'd':
		value = take_number(args, longs, true);
		put_number(out, (long long)value < 0 ? -value : value, 10, (long long)value < 0);
		break;
	case 'x':
		put_number(out, take_number(args, longs, false), 16, false);
		break;
	case 'u':
		value = take_number(args, longs, false);
		if (wide)
			put_number(out, value, 10, false);
		break;
	case 'p':
		value = (unsigned long)va_arg(*args, void *);
		if (wide) {
			put_text(out, "0x", 2);
			put_number(out, value, 16, false);
		}
		break;
	case '%':
		if (wide)
			put_text(out, "%", 1);
		break;
	default: /* prints nothing, but what follows must find its own argument */
		take_number(args, longs, false);
	}
}

void compel_format(struct output *out, bool wide, const char *format, va_list args)
{
	va_list rest;

	va_copy(rest, args);
	while (*format) {
		const char *start = format;
		int longs = 0;

		while (*format && *format != '%')
			format++;
		put_text(out, start, (size_t)(format - start));
		if (!*format++)
			break;
		while ((*format >= '0' && *format <= '9') || *format == '-' || *format == '.' || *format == '#')
			format++;
		for (; *format == 'l' || *format == 'z'; format++)
			longs++;
		if (*format)
			format_one(out, wide, *format++, longs, &rest);
	}
	va_end(rest);
}

void std_dputs(int fd, const char *s)
{
	put_text(&(struct output){ .fd = fd }, s, text_length(s));
}

void std_dputc(int fd, char c)
{
	put_text(&(struct output){ .fd = fd }, &c, 1);
}

void std_vdprintf(int fd, const char *format, va_list args)
{
	compel_format(&(struct output){ .fd = fd }, false, format, args);
}

void std_dprintf(int fd, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	std_vdprintf(fd, format, args);
	va_end(args);
}

void std_sprintf(char output[256], const char *format, ...)
{
	va_list args;

	output[0] = 0;
	va_start(args, format);
	compel_format(&(struct output){ .fd = -1, .to = output, .capacity = 256 }, true, format, args);
	va_end(args);
}

int std_vprint_num(char *buf, int blen, int num, char **ps)
{
	unsigned int value = num < 0 ? -(unsigned int)num : (unsigned int)num;
	char *p = buf + blen;

	*--p = 0;
	do {
		if (p == buf)
			break;
		*--p = (char)('0' + value % 10);
	} while (value /= 10);
	if (num < 0 && p > buf)
		*--p = '-';
	*ps = p;
	return (int)(buf + blen - 1 - p);
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 36;
}

unsigned long std_strtoul(const char *nptr, char **endptr, int base)
{
	const char *s = nptr, *end = nptr;
	unsigned long value = 0;
	bool negative = false;

	while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		s++;
	if (*s == '-' || *s == '+')
		negative = *s++ == '-';
	if ((base == 0 || base == 16) && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16) {
		s += 2;
		base = 16;
	} else if (base == 0) {
		base = *s == '0' ? 8 : 10;
	}
	for (; digit_value(*s) < base; end = ++s)
		value = value * (unsigned long)base + (unsigned long)digit_value(*s);
	if (endptr)
		*endptr = (char *)end;
	return negative ? -value : value;
}

int std_strncmp(const char *cs, const char *ct, size_t n)
{
	for (; n; n--, cs++, ct++)
		if (*cs != *ct || !*cs)
			return (unsigned char)*cs - (unsigned char)*ct;
	return 0;
}

int std_strcmp(const char *cs, const char *ct)
{
	return std_strncmp(cs, ct, (size_t)-1);
}
