/* SPDX-License-Identifier: GPL-2.0-only */
/* Servers for one client (page-server, lazy-pages): announced when they are ready, in this process or in the
 * background. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct listener;
struct options;

/*
 * When all is ready: writes --pidfile, runs the action status-ready, writes to --status-fd; then calls serve(arg). In
 * the background it is called in a child that has none of our descriptors 0 to 2 but the log, and nothing of the
 * service's connection. Signals that end it are noted from the beginning (interrupt_catch(outcome)). Returns the pid of
 * that child; in the foreground the result of serve(); or a failure to begin.
 */
int background_serve(const struct options *options, struct listener *listener, bool background, const char *outcome,
		     int (*serve)(void *arg), void *arg);

/* Runs the action status-ready and writes to --status-fd, which is closed. */
int background_tell_ready(const struct options *options, struct listener *listener);
