/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests of other programs instead of a command line: criu swrk and criu service. Messages: proto/rpc.proto. */
#pragma once

struct options;

/* What only the program itself knows. */
struct service_program {
	int version_major, version_minor;
	/* NULL if all is well, else what is missing. */
	const char *(*missing_rights)(const struct options *options);
	int (*open_directories)(struct options *options); /* 0 or -errno after it was logged */
	int (*check)(const struct options *options);	  /* exit code */
	void (*introduce)(void);			  /* the first lines of a log */
};

/* criu swrk: serves the client at options->worker_fd. Returns the exit code: that of the last request, or 255. */
int service_work(const struct service_program *program, const struct options *options);

/* criu service: listens, and forks a worker for each connection. Returns the exit code after a failure, and 0 in the
 * process that started a daemon. The log is open, the current directory is the work directory. */
int service_serve(const struct service_program *program, const struct options *options);
