/* SPDX-License-Identifier: GPL-2.0-only */
/* The socket of the service. */
#pragma once

struct options;
struct service_program;

/* criu service: listens, and forks a worker for each connection. Returns the exit code after a failure, and 0 in the
 * process that started a daemon. The log is open, the current directory is the work directory. */
int service_serve(const struct service_program *program, const struct options *options);
