/* SPDX-License-Identifier: GPL-2.0-only */
/* One connection: request, answer, and perhaps another request. */
#pragma once

struct connection;
struct options;
struct service_program;

/* The exit codes of a worker. */
enum {
	WORKER_GOOD = 0,
	WORKER_FAILED = 1,
	WORKER_DROPPED = 255,
};

/* Answers requests until one ends the connection. Returns one of the exit codes. */
int connection_serve(struct connection *connection);
/* Answers the first request by the failure that was logged. The same result. */
int connection_refuse(struct connection *connection);

/* criu swrk: serves the client at options->worker_fd. Returns the exit code: that of the last request, or 255. */
int service_work(const struct service_program *program, const struct options *options);
