/* SPDX-License-Identifier: GPL-2.0-only */
/* The meter of a session, or of a server. */
#include "session/transfer.h"

#include "base/meter.h"
#include "options/options.h"
#include "session/listener.h"

static void tell_listener(void *arg, const struct meter_report *report)
{
	struct listener *listener = arg;

	listener->progress(listener, report);
}

void transfer_begin(struct meter *meter, const char *what, const struct options *options, struct listener *listener)
{
	const bool tells = listener && listener->progress && options->tell_progress;

	meter_begin(meter, what, options->progress && !listener, tells ? tell_listener : NULL, listener);
}
