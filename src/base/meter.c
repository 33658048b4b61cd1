/* SPDX-License-Identifier: LGPL-2.1-only */
/* Work that moves many bytes: how much is done, and how fast it may go. */
#include "base/meter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fail.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/text.h"

#define SECOND_NS 1000000000ull
#define BURST_NS  (SECOND_NS / 10) /* so far a transfer may be ahead of its limit */
#define SLICE_NS  (SECOND_NS / 5)  /* of a wait: then interruptions are looked for */
#define BAR_WIDTH 24

void meter_begin(struct meter *meter, const char *what, bool bar,
		 void (*listen)(void *arg, const struct meter_report *report), void *arg)
{
	if (!meter)
		return;
	*meter = (struct meter){
		.what = what,
		.began = clock_now_ns(),
		.teller = pthread_self(),
		.bar = bar && isatty(STDERR_FILENO),
		.listen = listen,
		.arg = arg,
	};
	meter->told = meter->began;
}

void meter_limit(struct meter *meter, uint64_t rate)
{
	if (!meter)
		return;
	meter->limit = rate;
	meter->free_at = clock_now_ns();
}

void meter_expect(struct meter *meter, int64_t bytes)
{
	if (meter)
		meter->total += bytes;
}

/* --- telling --- */

static unsigned percent_of(const struct meter_report *report)
{
	return report->total ? (unsigned)((double)report->done * 100 / (double)report->total) : 0;
}

static void draw_bar(const struct meter_report *report)
{
	char bar[BAR_WIDTH + 1], done[16], total[16], rate[16], line[200];
	const unsigned filled = percent_of(report) * BAR_WIDTH / 100;
	struct winsize size;
	size_t n;

	text_size(report->done, done);
	text_size(report->total, total);
	text_size(report->rate, rate);
	for (unsigned i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	n = (size_t)snprintf(line, sizeof(line), "%s", report->what);
	if (report->total)
		n += (size_t)snprintf(line + n, sizeof(line) - n, " [%s] %3u%%  %s of %s", bar, percent_of(report),
				      done, total);
	else
		n += (size_t)snprintf(line + n, sizeof(line) - n, "  %s", done);
	n += (size_t)snprintf(line + n, sizeof(line) - n, "  %s/s", rate);
	if (report->left != UINT64_MAX)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "  %" PRIu64 ":%02" PRIu64 " left", report->left / 60,
				      report->left % 60);
	/* A line that is wrapped could not be taken back. */
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && n >= size.ws_col)
		line[size.ws_col - 1] = '\0';
	log_status(line);
}

static void log_report(const struct meter_report *report)
{
	char text[200];
	size_t n = (size_t)snprintf(text, sizeof(text), "progress: %s: %" PRIu64, report->what, report->done);

	if (report->total)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " of %" PRIu64 " bytes (%u%%)", report->total,
				      percent_of(report));
	else
		n += (size_t)snprintf(text + n, sizeof(text) - n, " bytes");
	n += (size_t)snprintf(text + n, sizeof(text) - n, ", %" PRIu64 " bytes/s", report->rate);
	if (report->end)
		snprintf(text + n, sizeof(text) - n, ", ended after %" PRIu64 " ms", report->us / 1000);
	else if (report->left != UINT64_MAX)
		snprintf(text + n, sizeof(text) - n, ", %" PRIu64 " s left", report->left);
	log_info("%s", text);
	log_flush();
}

static void tell_report(struct meter *meter, uint64_t now, bool end)
{
	struct meter_report report = {
		.what = meter->what,
		.done = meter->done,
		.total = meter->total > 0 ? (uint64_t)meter->total : 0,
		.left = UINT64_MAX,
		.us = (now - meter->began) / 1000,
		.end = end,
	};

	/* What was expected was too little. */
	if (report.total && report.total < report.done)
		report.total = report.done;
	if (end)
		report.rate = report.us ? (uint64_t)((double)report.done * 1e6 / (double)report.us) : 0;
	else
		report.rate = meter->rate;
	if (report.total && report.rate)
		report.left = (report.total - report.done + report.rate - 1) / report.rate;
	meter->has_told = true;
	log_report(&report);
	if (meter->bar && end)
		log_status(NULL);
	else if (meter->bar)
		draw_bar(&report);
	if (meter->listen)
		meter->listen(meter->arg, &report);
}

static void tell_in_time(struct meter *meter)
{
	const uint64_t now = clock_now_ns(), done = meter->done;
	uint64_t rate;

	if (!pthread_equal(meter->teller, pthread_self()) || now - meter->told < SECOND_NS)
		return;
	rate = (uint64_t)((double)(done - meter->told_done) * 1e9 / (double)(now - meter->told));
	meter->rate = meter->has_told ? (meter->rate * 2 + rate) / 3 : rate;
	meter->told = now;
	meter->told_done = done;
	tell_report(meter, now, false);
}

void meter_end(struct meter *meter)
{
	if (!meter || !meter->what)
		return;
	meter->us = (clock_now_ns() - meter->began) / 1000;
	if (meter->has_told)
		tell_report(meter, clock_now_ns(), true);
	meter->what = NULL;
}

/* --- the limit --- */

static int wait_until(struct meter *meter, uint64_t when)
{
	for (uint64_t now = clock_now_ns(); now < when; now = clock_now_ns()) {
		const uint64_t left = when - now < SLICE_NS ? when - now : SLICE_NS;
		const struct timespec time = { (time_t)(left / SECOND_NS), (long)(left % SECOND_NS) };

		nanosleep(&time, NULL);
		TRY(interrupt_check());
		tell_in_time(meter);
	}
	return 0;
}

static int keep_limit(struct meter *meter, uint64_t bytes)
{
	const uint64_t cost = (uint64_t)((double)bytes * 1e9 / (double)meter->limit), now = clock_now_ns();
	unsigned long long free_at = meter->free_at, next;

	do
		next = (free_at + BURST_NS > now ? free_at : now - BURST_NS) + cost;
	while (!atomic_compare_exchange_weak(&meter->free_at, &free_at, next));
	return wait_until(meter, next);
}

int meter_pass(struct meter *meter, uint64_t bytes, uint64_t sent)
{
	if (!meter || !meter->what)
		return 0;
	meter->done += bytes;
	if (meter->limit && sent)
		TRY(keep_limit(meter, sent));
	tell_in_time(meter);
	return 0;
}
