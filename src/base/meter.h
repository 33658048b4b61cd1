/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * Work that moves many bytes: how much is done, told about once a second while it takes longer than that, and how fast
 * it may go. Functions accept NULL: nobody wants to know.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct meter_report {
	const char *what;
	uint64_t done, total; /* bytes; total is 0 if it is not known, and may change while more becomes known */
	uint64_t rate;	      /* bytes per second, lately */
	uint64_t left;	      /* seconds; UINT64_MAX if it is not known */
	uint64_t us;	      /* since it began */
	bool end;	      /* it is done, or given up */
};

/* Zeroed, it waits for meter_begin(). */
struct meter {
	const char *what;
	atomic_ullong done;
	atomic_llong total;
	uint64_t began, told, told_done; /* ns; of the thread that began */
	uint64_t rate;
	pthread_t teller;
	bool bar, has_told;
	uint64_t us;	       /* after meter_end(): how long it took */
	uint64_t limit;	       /* bytes per second, 0: none */
	atomic_ullong free_at; /* ns: when the next byte may go */
	void (*listen)(void *arg, const struct meter_report *report);
	void *arg;
};

/*
 * bar: draw one on stderr if that is a terminal. listen: is told as well, unless it is NULL; by this thread, which
 * alone tells. The texts live as long as the meter.
 */
void meter_begin(struct meter *meter, const char *what, bool bar,
		 void (*listen)(void *arg, const struct meter_report *report), void *arg);
/* From now on no more bytes a second; 0: as many as can be. */
void meter_limit(struct meter *meter, uint64_t rate);
/* So many bytes more, or fewer, are to be expected. */
void meter_expect(struct meter *meter, int64_t bytes);
/*
 * By any thread: bytes were moved, of which `sent` count for the limit: waits until as many may go. Fails as
 * interrupt_check() does.
 */
int meter_pass(struct meter *meter, uint64_t bytes, uint64_t sent);
/* Did it take long enough for that? */
static inline bool meter_has_told(const struct meter *meter)
{
	return meter && meter->has_told;
}

/* Tells it for the last time if it was told before. May be called twice. */
void meter_end(struct meter *meter);
