/* SPDX-License-Identifier: LGPL-2.1-only */
/* Log lines of a parasite: each is one write, so that lines of several stay whole. */
#include <compel/plugins/std/log.h>
#include <compel/plugins/std/string.h>
#include <compel/plugins/std/syscall.h>

#include "lib/compel/plugins/std/format.h"

static int fd = -1;
static unsigned int level = COMPEL_DEFAULT_LOGLEVEL;
static struct timeval start;
static gettimeofday_t fast_clock;

void std_log_set_fd(int new)
{
	fd = new;
}

void std_log_set_loglevel(enum __compel_log_levels new)
{
	level = (unsigned int)new;
}

void std_log_set_start(struct timeval *s)
{
	start = *s;
}

void std_log_set_gettimeofday(gettimeofday_t gtod)
{
	fast_clock = gtod;
}

int std_gettimeofday(struct timeval *tv, struct timezone *tz)
{
	return fast_clock ? fast_clock(tv, tz) : (int)sys_gettimeofday(tv, tz);
}

static void pad_number(char *to, long value, int digits)
{
	while (digits--) {
		to[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* "(00.001234) ", the seconds as long as they are. */
static void format_time(char text[32])
{
	struct timeval now = { 0 };
	char micro[7] = "", seconds[3] = "";

	std_gettimeofday(&now, 0);
	now.tv_sec -= start.tv_sec;
	now.tv_usec -= start.tv_usec;
	if (now.tv_usec < 0) {
		now.tv_usec += 1000000;
		now.tv_sec--;
	}
	pad_number(micro, now.tv_usec, 6);
	pad_number(seconds, now.tv_sec, 2);
	if (now.tv_sec < 100) {
		text[0] = '(';
		memcpy(text + 1, seconds, 2);
		text[3] = '.';
		memcpy(text + 4, micro, 6);
		memcpy(text + 10, ") ", 3);
	} else {
		char whole[256];

		std_sprintf(whole, "(%ld.%s) ", (long)now.tv_sec, micro);
		memcpy(text, whole, 32);
	}
}

void print_on_level(unsigned int loglevel, const char *format, ...)
{
	char line[512], time[32];
	struct output out = { .fd = -1, .to = line, .capacity = sizeof(line) };
	va_list args;

	if (fd < 0 || loglevel > level)
		return;
	format_time(time);
	std_sprintf(line, "%spie: %d: ", time, (int)sys_getpid());
	while (line[out.size])
		out.size++;
	va_start(args, format);
	compel_format(&out, true, format, args);
	va_end(args);
	sys_write(fd, line, out.size);
}
