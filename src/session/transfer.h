/* SPDX-License-Identifier: GPL-2.0-only */
/* The meter of a session, or of a server: as the options and the client want it. */
#pragma once

struct listener;
struct meter;
struct options;

/* The listener, which may be NULL, must live as long as the meter. No limit is set yet. */
void transfer_begin(struct meter *meter, const char *what, const struct options *options, struct listener *listener);
