/* SPDX-License-Identifier: LGPL-2.1-only */
/* A set of options, and how criu is reached. */
#pragma once

#include <sys/types.h>

#include "criu.h"

struct criu_opts {
	CriuOpts *rpc; /* owns its strings, as if it had been unpacked */
	int (*notify)(char *action, criu_notify_arg_t na);
	void (*progress)(const struct criu_progress *progress);
	enum criu_service_comm comm;
	char *path; /* socket or binary */
	int fd;
	pid_t worker; /* our own criu while it runs */
};

extern const char *criu_lib_version;
void criu_free_service(criu_opts *opts);
