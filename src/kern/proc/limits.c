/* SPDX-License-Identifier: LGPL-2.1-only */
/* /proc/PID/limits: a table with a head line; the name is text with blanks, then soft and hard limit. */
#include "kern/proc/limits.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "kern/proc/proc.h"

static const char *const names[PROC_LIMITS] = {
	[RLIMIT_CPU] = "Max cpu time ",
	[RLIMIT_FSIZE] = "Max file size ",
	[RLIMIT_DATA] = "Max data size ",
	[RLIMIT_STACK] = "Max stack size ",
	[RLIMIT_CORE] = "Max core file size ",
	[RLIMIT_RSS] = "Max resident set ",
	[RLIMIT_NPROC] = "Max processes ",
	[RLIMIT_NOFILE] = "Max open files ",
	[RLIMIT_MEMLOCK] = "Max locked memory ",
	[RLIMIT_AS] = "Max address space ",
	[RLIMIT_LOCKS] = "Max file locks ",
	[RLIMIT_SIGPENDING] = "Max pending signals ",
	[RLIMIT_MSGQUEUE] = "Max msgqueue size ",
	[RLIMIT_NICE] = "Max nice priority ",
	[RLIMIT_RTPRIO] = "Max realtime priority ",
	[RLIMIT_RTTIME] = "Max realtime timeout ",
};

static bool parse_limit(const char *text, rlim_t *ret)
{
	uint64_t value;

	if (!text)
		return false;
	if (strcmp(text, "unlimited") == 0) {
		*ret = RLIM_INFINITY;
		return true;
	}
	if (text_to_u64(text, 10, &value) < 0)
		return false;
	*ret = value;
	return true;
}

int proc_limits_parse(char *text, struct proc_limits *ret)
{
	unsigned found = 0;
	char *line;

	while ((line = text_line(&text))) {
		for (int i = 0; i < (int)PROC_LIMITS; i++) {
			char *fields = (char *)text_after(line, names[i]);

			if (!fields)
				continue;
			if (!parse_limit(text_field(&fields), &ret->items[i].rlim_cur) ||
			    !parse_limit(text_field(&fields), &ret->items[i].rlim_max))
				return refuse(EINVAL, "cannot understand \"%s\" of /proc/PID/limits", names[i]);
			found |= 1u << i;
		}
	}
	if (found != (1u << PROC_LIMITS) - 1)
		return refuse(EINVAL, "/proc/PID/limits lacks some of the %d limits", (int)PROC_LIMITS);
	return 0;
}

int proc_limits_read(int proc, struct proc_limits *ret)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	TRY(proc_read_record(proc, "limits", &text));
	return proc_limits_parse(text.data, ret);
}
