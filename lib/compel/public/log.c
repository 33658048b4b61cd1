/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The log of the library. It takes the place of base/log.c and base/fail.c, which belong to a program: lines go to the
 * function of the caller, and no failure is kept.
 */
#include <compel/log.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/log.h"
#include "lib/compel/public/extra.h"

#define LINE 2048

static struct {
	compel_log_fn write;
	unsigned level;
} the_log = { .level = COMPEL_DEFAULT_LOGLEVEL };

void compel_log_init(compel_log_fn fn, unsigned level)
{
	the_log.write = fn;
	the_log.level = level;
}

unsigned compel_log_get_loglevel(void)
{
	return the_log.level;
}

void compel_print_on_level(unsigned level, const char *format, ...)
{
	va_list args;

	if (!the_log.write || level > the_log.level)
		return;
	va_start(args, format);
	the_log.write(level, format, args);
	va_end(args);
}

bool log_enabled(enum log_level level)
{
	return the_log.write && (unsigned)level <= the_log.level;
}

static void write_line(enum log_level level, const char *file, int line, const char *text)
{
	while (strncmp(file, "../", 3) == 0)
		file += 3;
	if (level == LOG_ERROR || level == LOG_WARN)
		compel_print_on_level((unsigned)level, "%s (%s:%d): %s\n", level == LOG_ERROR ? "Error" : "Warn ", file,
				      line, text);
	else
		compel_print_on_level((unsigned)level, "%s\n", text);
}

void log_write(enum log_level level, const char *file, int line, const char *format, ...)
{
	int saved_errno = errno;
	char text[LINE];
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	write_line(level, file, line, text);
	errno = saved_errno;
}

int fail_at(const char *file, int line, int error, const char *format, ...)
{
	int saved_errno = errno;
	char text[LINE], reason[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_write(LOG_ERROR, file, line, "%s: %s", text, strerror_r(error, reason, sizeof(reason)));
	errno = saved_errno;
	return -error;
}

int refuse_at(const char *file, int line, int error, const char *format, ...)
{
	int saved_errno = errno;
	char text[LINE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_write(LOG_ERROR, file, line, "%s", text);
	errno = saved_errno;
	return -error;
}

void log_flush(void)
{
}
