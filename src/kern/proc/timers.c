/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * /proc/PID/timers: four lines for each timer,
 *	ID: 1
 *	signal: 60/00007fff86e452a8
 *	notify: signal/pid.2634
 *	ClockID: 0
 */
#include "kern/proc/timers.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/array.h"
#include "base/auto.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/vector.h"
#include "kern/proc/proc.h"
#include "kern/proc/scan.h"

static bool parse_signal(struct proc_timer *timer, const char *p)
{
	uint64_t signal, value;

	/* The pointer is printed with %px: zero-filled hex. */
	if (!scan_dec(&p, &signal) || !scan_char(&p, '/') || !scan_hex(&p, &value) || *p || signal > INT32_MAX)
		return false;
	timer->signal = (int)signal;
	timer->sival_ptr = value;
	return true;
}

static bool parse_notify(struct proc_timer *timer, const char *p)
{
	static const struct {
		const char *text;
		int notify;
	} rows[] = {
		{ "signal/pid.", SIGEV_SIGNAL }, { "signal/tid.", SIGEV_SIGNAL | SIGEV_THREAD_ID },
		{ "none/pid.", SIGEV_NONE },	 { "none/tid.", SIGEV_NONE | SIGEV_THREAD_ID },
		{ "thread/pid.", SIGEV_THREAD }, { "thread/tid.", SIGEV_THREAD | SIGEV_THREAD_ID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *target = text_after(p, rows[i].text);

		if (target) {
			timer->notify = rows[i].notify;
			return text_to_int(target, &timer->target) == 0;
		}
	}
	return false;
}

static bool parse_line(struct proc_timers *timers, const char *line)
{
	struct proc_timer *timer = timers->n ? &timers->items[timers->n - 1] : NULL;
	const char *value;

	if ((value = text_after(line, "ID: "))) {
		timer = vector_push(timers);
		*timer = (struct proc_timer){ 0 };
		return text_to_int(value, &timer->id) == 0;
	}
	if (!timer)
		return false;
	if ((value = text_after(line, "signal: ")))
		return parse_signal(timer, value);
	if ((value = text_after(line, "notify: ")))
		return parse_notify(timer, value);
	if ((value = text_after(line, "ClockID: ")))
		return text_to_int(value, &timer->clock) == 0;
	return true; /* a line that a newer kernel adds */
}

int proc_timers_parse(char *text, struct proc_timers *ret)
{
	char *line;

	ret->n = 0;
	while ((line = text_line(&text))) {
		if (!parse_line(ret, line))
			return refuse(EINVAL, "cannot understand the line \"%s\" of /proc/PID/timers", line);
	}
	return 0;
}

int proc_timers_read(int proc, struct proc_timers *ret)
{
	AUTO(buffer_done) struct buffer text = { 0 };

	TRY(proc_read(proc, "timers", &text));
	return proc_timers_parse(text.data, ret);
}

void proc_timers_done(struct proc_timers *timers)
{
	vector_done(timers);
}
