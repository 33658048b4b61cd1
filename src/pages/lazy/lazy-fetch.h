/* SPDX-License-Identifier: GPL-2.0-only */
/* How the lazy-pages daemon gets pages: from the images, or from a page server. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "pages/lazy/lazy-space.h"
#include "pages/peer.h"

struct lazy_request {
	struct lazy_source *source;
	uint64_t origin, size;
};

/* A thread that places pages. */
struct lazy_thread {
	struct lazy *lazy;
	pthread_t id;
	pthread_mutex_t placing; /* it relies on where pages belong (lazy-space.h) */
};

struct lazy {
	struct list sources;
	int signal; /* eventfd: something has come, or failed */
	struct {
		pid_t pid;
		int daemon; /* pidfd of us */
		void *stack;
	} guard;	    /* lazy-guard.c */
	atomic_int failure; /* the first one of a thread, as -errno */

	/* What goes on in the background, from the moment when all tasks run. */
	struct lazy_thread threads[8];
	unsigned n_threads;
	atomic_bool ahead; /* some space may have what follows on pages that a task has waited for */
	atomic_uint_fast64_t
		step; /* bytes fetched at once; small after a fault, so that the next one does not wait long */

	/* The page server. */
	struct peer *server; /* NULL: there is none */
	struct lazy_thread receiver;
	pthread_mutex_t lock; /* of what follows, and of sending */
	pthread_cond_t more;
	VECTOR(struct lazy_request) requests; /* sent and not answered, in order */
	bool background, stop;
};

/* Something is missing that a task waits for: fetches it, or asks for it. The main thread. Returns as
 * lazy_source_deliver(). */
int lazy_fetch_now(struct lazy *lazy, struct lazy_space *space, uint64_t address);

/* The main thread, while it reads events and does what they say: no other one places pages meanwhile. */
void lazy_events_begin(struct lazy *lazy);
void lazy_events_end(struct lazy *lazy);

void lazy_fetch_init(struct lazy *lazy);
void lazy_fetch_done(struct lazy *lazy);
int lazy_fetch_begin(struct lazy *lazy);      /* the page server's thread */
int lazy_fetch_background(struct lazy *lazy); /* all tasks run: fetch all the rest */
/* Waits for the threads. With an error in lazy->failure, or if stop is wanted, they end soon. */
void lazy_fetch_end(struct lazy *lazy);
